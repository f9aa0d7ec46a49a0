"""The layout below the output folder."""

from pathlib import Path

import pytest

from sdrest.errors import UsageError
from sdrest.jobs.folders import Folders
from tests.support.jobs import text_key


def test_the_layout_is_the_original_s_and_a_private_folder(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "new" / "output")
    folders.create()
    folders.create()
    names = {path.name for path in folders.output.iterdir()}
    assert names == {".sdrest", "text-to-image", "image-to-image", "inpaint-image"}
    assert folders.private.stat().st_mode & 0o777 == 0o700
    key = text_key("a")
    assert folders.published(key) == folders.output / "text-to-image" / key.id
    assert folders.inputs(key) == folders.private / "inputs" / f"text-to-image-{key.id}"
    assert folders.workdir(key, 2) == folders.private / "work" / f"text-to-image-{key.id}-2"
    assert folders.spool.is_dir()


def test_an_output_folder_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Folders(tmp_path / "link").create()
    assert (tmp_path / "real" / ".sdrest").is_dir()


@pytest.mark.parametrize("name", [".sdrest", "inpaint-image"])
def test_a_link_inside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic link"):
        Folders(tmp_path / "output").create()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"")
    with pytest.raises(UsageError, match="Cannot use the output folder"):
        Folders(tmp_path / "output").create()
