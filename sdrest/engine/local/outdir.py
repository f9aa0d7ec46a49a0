"""Which of a script's PNGs are complete.

The scripts write in place, so a file exists, empty or in part, before it is a picture. A PNG is a
signature and a chain of chunks, each with its length; it is complete when IEND ends the chain.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from sdrest import png
from sdrest.paths import open_no_follow


class OutDir:
    """The images that a script will write, in their order; each is reported once."""

    def __init__(self, images: Sequence[Path]) -> None:
        self._images = images
        self._ready = 0

    @property
    def ready(self) -> int:
        """How many images were reported as complete."""
        return self._ready

    @property
    def missing(self) -> int:
        """How many images were not reported yet."""
        return len(self._images) - self._ready

    def poll(self) -> list[Path]:
        """Return the images that became complete since the last call, in order without gaps."""
        first = self._ready
        while self.missing and is_complete_png(self._images[self._ready]):
            self._ready += 1
        return list(self._images[first : self._ready])


def is_complete_png(path: Path) -> bool:
    """Whether `path` is a regular file and a PNG to its end. Reads 8 bytes a chunk."""
    try:
        descriptor = open_no_follow(path)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        return stat.S_ISREG(status.st_mode) and _reaches_end(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def _reaches_end(descriptor: int, size: int) -> bool:
    def read(position: int, length: int) -> bytes:
        return os.pread(descriptor, length, position)

    try:
        for _ in png.chunks(read, size):
            pass
    except png.BrokenPngError:
        return False
    return True
