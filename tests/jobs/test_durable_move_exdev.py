"""Moves to another volume (EXDEV): copied, synced, renamed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdrest.jobs.durable import move_file, move_folder
from tests.support.filesystems import mounted

pytestmark = pytest.mark.integration


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "volume", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        yield tmp_path / "volume"


def test_a_move_to_a_full_volume_leaves_nothing_of_the_copy(tmp_path: Path, volume: Path) -> None:
    source = tmp_path / "1.png"
    source.write_bytes(bytes(2 * 2**20))
    (volume / "1.png").write_bytes(b"before")
    descriptor = os.open(volume, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="No space left"):
            move_file(source, "1.png", descriptor)
    finally:
        os.close(descriptor)
    assert {path.name: path.read_bytes() for path in volume.iterdir()} == {"1.png": b"before"}
    assert source.exists()


def test_a_folder_moves_to_another_volume_with_what_is_in_it(tmp_path: Path, volume: Path) -> None:
    source = tmp_path / "spooled"
    source.mkdir()
    (source / "image.png").write_bytes(b"image")
    (volume / ".target.part").mkdir()  # of a server that was killed
    (volume / ".target.part" / "mask.png").write_bytes(b"stale")
    move_folder(source, volume / "target")
    assert [path.name for path in volume.iterdir()] == ["target"]
    assert {path.name: path.read_bytes() for path in (volume / "target").iterdir()} == {
        "image.png": b"image"
    }
    assert not source.exists()
    assert stat.S_IMODE((volume / "target").stat().st_mode) == 0o700
