"""Locks on files: one server for each output folder."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sdrest.engine.base import NO_OWNER
from sdrest.errors import UsageError

UNLOCKED = (
    "The file system of the output folder cannot lock files, so a second server in the same "
    "folder would not be noticed. Start only one."
)

_log = logging.getLogger(__name__)


class FolderLock:
    """An advisory lock on the file at `path`, which ends with its process however that ends.

    `held` says whether it keeps others out: some network file systems cannot lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.held = False

    def acquire(self) -> None:
        """Take the lock; raises `UsageError` if another process has it.

        Where the file system cannot lock files, a warning is logged.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise UsageError(f"Cannot lock the output folder: {error}.") from error
        try:
            self.held = lock_file(descriptor)
        except BlockingIOError as error:
            owner = os.read(descriptor, 20).decode("ascii", "replace")
            os.close(descriptor)
            raise UsageError(
                f"Another server (process {owner or 'unknown'}) uses the output folder "
                f"{self._path.parent.parent}."
            ) from error
        if not self.held:
            _log.warning("%s", UNLOCKED)
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
        if self._descriptor is None or not self.held:
            return NO_OWNER
        status = os.fstat(self._descriptor)
        return f"{status.st_dev:x}:{status.st_ino:x}"

    def release(self) -> None:
        """Give the lock back, if it was taken."""
        descriptor, self._descriptor = self._descriptor, None
        self.held = False
        if descriptor is not None:
            os.close(descriptor)


def lock_file(descriptor: int) -> bool:
    """Lock an open file, or folder, until it is closed; return False where locks do not work.

    Raises `BlockingIOError` where another process holds the lock. A POSIX lock is used where the
    file system has no flock; it ends when this process closes any descriptor of the file.
    """
    return _locked(fcntl.flock, descriptor) or _locked(fcntl.lockf, descriptor)


def locks_work(folder: Path) -> bool:
    """Whether POSIX locks, which SQLite needs, work in `folder`; True if it cannot be tried."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return _locked(fcntl.lockf, file.fileno())
    except OSError:  # a full disk; most file systems have locks
        return True


def can_lock(folder: Path) -> bool:
    """Whether a server could lock a file in `folder`; raises `OSError`."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return lock_file(file.fileno())


def _locked(lock: Callable[[int, int], object], descriptor: int) -> bool:
    """Take a lock of one kind; return False for ENOLCK, ENOSYS, EOPNOTSUPP and their like."""
    try:
        lock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True
