import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sdrest.engine.local.outdir import OutDir, is_complete_png


def picture() -> bytes:
    """Return a PNG of several chunks, as the scripts' Pillow writes it."""
    file = io.BytesIO()
    Image.effect_noise((400, 300), 80).save(file, "PNG")
    return file.getvalue()


PICTURE = picture()


def test_a_png_is_complete_with_its_last_byte_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    for size in {*range(60), *range(0, len(PICTURE), 997), *range(len(PICTURE) - 20, len(PICTURE))}:
        path.write_bytes(PICTURE[:size])
        assert not is_complete_png(path), size
    path.write_bytes(PICTURE)
    assert is_complete_png(path)


@given(data=st.binary(max_size=60))
def test_other_bytes_are_no_png(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "other.png"
    path.write_bytes(data)
    assert not is_complete_png(path)
    path.write_bytes(PICTURE[:8] + data)
    assert not is_complete_png(path)


def test_a_png_begins_with_its_header(tmp_path: Path) -> None:
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    path = tmp_path / "0.png"
    path.write_bytes(PICTURE[:8] + end)
    assert not is_complete_png(path)


def test_a_chunk_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    path.write_bytes(PICTURE[:33] + struct.pack(">I", 2**32 - 1) + b"IDAT" + b"\0" * 100)
    assert not is_complete_png(path)


def test_an_end_that_is_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    path.write_bytes(PICTURE[:-12] + struct.pack(">I", 100) + b"IEND" + b"\0" * 50)
    assert not is_complete_png(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(PICTURE)
    (tmp_path / "link.png").symlink_to("real.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "fifo.png")
    complete = [path.name for path in sorted(tmp_path.iterdir()) if is_complete_png(path)]
    assert complete == ["real.png"]
    assert not is_complete_png(tmp_path / "missing.png")


def test_images_come_once_in_order_and_without_gaps(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    folder = OutDir(paths)
    assert folder.poll() == []
    paths[1].write_bytes(PICTURE)
    assert folder.poll() == []
    paths[0].write_bytes(PICTURE[:-1])
    assert folder.poll() == []
    paths[0].write_bytes(PICTURE)
    assert folder.poll() == paths[:2]
    assert folder.poll() == []
    assert (folder.ready, folder.missing) == (2, 1)
    paths[2].write_bytes(PICTURE)
    assert folder.poll() == paths[2:]
    assert folder.poll() == []
    assert (folder.ready, folder.missing) == (3, 0)
