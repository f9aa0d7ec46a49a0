"""The prepared pictures of jobs: from the spool to their own folder, until the job ends."""

import os
import shutil
from pathlib import Path


def adopt(source: Path, target: Path) -> None:
    """Move a folder of pictures to `target`, durably; what lies there is of nobody. May block."""
    for path in (*source.iterdir(), source):
        _sync(path)
    remove(target)
    source.rename(target)
    _sync(target.parent)


def remove(folder: Path) -> None:
    """Remove a folder with what is in it, as far as that is possible. May block."""
    shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
