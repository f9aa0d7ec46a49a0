"""One server for each output folder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sdrest.engine.process import NO_OWNER
from sdrest.errors import UsageError


class FolderLock:
    """An advisory lock on the file at `path`, which ends with its process however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises `UsageError` if another process has it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise UsageError(f"Cannot lock the output folder: {error}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 20).decode("ascii", "replace")
            os.close(descriptor)
            raise UsageError(
                f"Another server (process {owner or 'unknown'}) uses the output folder "
                f"{self._path.parent.parent}."
            ) from error
        with suppress(OSError):  # a full disk: only the message to a second server is poorer
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    @property
    def id(self) -> str:
        """The id of the locked folder: device and inode of the lock's file, as `fe01:2a`.

        No two live servers of a machine share it: the file is open, so its inode is not used again.
        A copy of the folder has another one. It is `NO_OWNER` while the lock is not held.
        """
        if self._descriptor is None:
            return NO_OWNER
        status = os.fstat(self._descriptor)
        return f"{status.st_dev:x}:{status.st_ino:x}"

    def release(self) -> None:
        """Give the lock back, if it was taken."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
