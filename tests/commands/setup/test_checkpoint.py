import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdrest.commands.bar import drawing, size
from sdrest.commands.setup.checkpoint import Checkpoint
from sdrest.commands.setup.environment import normalised, pins_of
from sdrest.commands.setup.step import StepError
from sdrest.commands.terminal import Terminal

pytestmark = pytest.mark.integration


@pytest.fixture
def terminal(capfd: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    """A terminal whose lines go nowhere."""
    with Terminal() as opened:
        yield opened
    capfd.readouterr()


def step(tmp_path: Path, source: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "models/m.ckpt", str(source), "--inpaint-image-model", "inpaint")


def test_torchs_own_archives_stay_as_they_are(tmp_path: Path, terminal: Terminal) -> None:
    source = tmp_path / "source"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    made = step(tmp_path, source)
    made.run(terminal)
    assert made.done()
    assert made.target.read_bytes() == source.read_bytes()


def _damaged_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("last.ckpt", b"weights" * 100)
    path.write_bytes(path.read_bytes().replace(b"weights", b"damages", 1))


@pytest.mark.parametrize(
    ("write", "text"),
    [
        (_damaged_archive, "The archive is damaged"),
        (lambda path: path.write_bytes(b"<html>"), "is a web page"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"version https://git-lfs"), "Git LFS pointer"),
    ],
)
def test_what_is_no_checkpoint_is_not_kept(
    tmp_path: Path, terminal: Terminal, write: Callable[[Path], None], text: str
) -> None:
    write(tmp_path / "source")
    made = step(tmp_path, tmp_path / "source")
    with pytest.raises(StepError, match=text):
        made.run(terminal)
    assert not made.target.exists()
    assert not made.target.with_name("m.ckpt.part").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 100 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100M", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_room_for_the_unpacked_file_is_looked_for_before(
    tmp_path: Path, small_disk: Path, terminal: Terminal
) -> None:
    source = tmp_path / "source"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("last.ckpt", bytes(60 * 10**6))
    made = step(small_disk, source)
    with pytest.raises(StepError, match=r"0\.1 GB are needed"):
        made.run(terminal)
    assert not made.target.exists()


def test_pins() -> None:
    text = '# a note\nPyWavelets==1.6.0\nhuggingface_hub==0.23.5; python_version == "3.11"\n'
    assert pins_of(text) == {"pywavelets": "1.6.0", "huggingface-hub": "0.23.5"}
    assert normalised("A.b_-C") == "a-b-c"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1500, "1.5 kB"), (4265380512, "4.27 GB"), (2e6, "2 MB")]
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_a_bar() -> None:
    assert drawing("Pictures", 0.5, "1/2") == f"Pictures  50% {'█' * 12}{'░' * 12} 1/2"
