"""Files and folders that outlast a loss of power."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: fsync reaches the disk's cache only (fsync(2)), this the disk. Not every volume has it."""


def sync(descriptor: int) -> None:
    """Return when an open file or folder is on the disk."""
    if _FULL_SYNC is not None:
        with suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
    os.fsync(descriptor)


def sync_path(path: Path) -> None:
    """Bring a file or a folder to the disk; raises `OSError`, also for a symbolic link."""
    # O_NONBLOCK: a FIFO in its place does not hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
