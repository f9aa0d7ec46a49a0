"""The steps that download or copy the checkpoints."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from sdrest.checkpoints.problems import problem
from sdrest.commands import sizes
from sdrest.commands.bar import Bar, size
from sdrest.commands.setup import download
from sdrest.commands.setup.step import Footprint, StepError
from sdrest.commands.sizes import Size
from sdrest.commands.terminal import Terminal

TEXT_TO_IMAGE_URL = (
    "https://www.googleapis.com/storage/v1/b/aai-blog-files/o/sd-v1-4.ckpt?alt=media"
)
TEXT_TO_IMAGE_SHA256 = "fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556"
"""Of sd-v1-4.ckpt, as CompVis published it on Hugging Face."""

INPAINT_URL = "https://ommer-lab.com/files/latent-diffusion/inpainting_big.zip"

_PUBLISHED = {TEXT_TO_IMAGE_URL: sizes.TEXT_TO_IMAGE, INPAINT_URL: sizes.INPAINT}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Downloads or copies a checkpoint to `target`, out of a zip archive if it is in one.

    `sha256` is that of the file at `source`, or empty; `flag` is the flag for `target`.
    """

    target: Path
    source: str
    flag: str
    name: str
    sha256: str = ""
    needs: frozenset[str] = frozenset()

    def plan(self) -> str:
        """See `Step.plan`."""
        path = download.local_path(self.source)
        return f"{'download' if path is None else 'copy'} {self.source} to {self.target}"

    def footprint(self) -> Footprint:
        """See `Step.footprint`."""
        path = download.local_path(self.source)
        if path is None:
            return Footprint(self.target.parent, _PUBLISHED.get(self.source))
        there = path.stat().st_size if path.is_file() else 0
        return Footprint(self.target.parent, Size(disk=there) if there else None)

    def done(self) -> bool:
        """Whether `target` looks like a checkpoint."""
        return problem(self.target, flag=self.flag) is None

    def run(self, terminal: Terminal) -> None:
        """Fetch it, unpack it, check it, and rename it to `target`."""
        if self.target.is_dir():
            raise StepError(f"{self.target} is a folder. Give {self.flag} the path of a file.")
        with Bar(terminal, self.target.name) as bar:
            part = download.fetch(
                self.source,
                self.target,
                lambda here, total: _show(bar, here, total),
                sha256=self.sha256,
            )
        ready = _unpack(part)
        failure = problem(ready, flag=self.flag)
        if failure:
            ready.unlink()
            download.discard(self.target)
            raise StepError(f"What came from {self.source} is not a checkpoint. {failure.message}")
        with ready.open("rb") as file:
            os.fsync(file.fileno())
        ready.replace(self.target)
        download.discard(self.target)


def _show(bar: Bar, here: int, total: int | None) -> None:
    known = f"{size(here)} of {size(total)}" if total else size(here)
    bar.show(here / total if total else 0.0, known)


def _unpack(part: Path) -> Path:
    """Return the file itself, or the checkpoint in it if it is an archive."""
    if not zipfile.is_zipfile(part):
        return part
    ready = part.with_name(f"{part.name}.ckpt")
    try:
        with zipfile.ZipFile(part) as archive:
            inner = next((name for name in archive.namelist() if name.endswith(".ckpt")), None)
            if inner is None:  # torch's own format
                return part
            download.make_room(ready, archive.getinfo(inner).file_size)
            with archive.open(inner) as reader, ready.open("wb") as writer:
                while block := reader.read(1 << 20):
                    writer.write(block)
    except zipfile.BadZipFile as error:
        part.unlink()
        ready.unlink(missing_ok=True)
        raise StepError(f"The archive is damaged ({error}). Run again.") from error
    return ready
