"""Free space on the disk of the output folder: the job table's reserve, errors of a full disk."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sdrest.cancellation import until_done
from sdrest.errors import StorageUnavailableError

RESERVE_BYTES = 4 * 2**20
"""Size of the reserve: the size at which SQLite starts its write-ahead log over."""

JOB_BYTES = 16 * 2**20
"""Bytes that must be free before a job starts: else it would fail to write its images."""

_SHARE = 16
"""On a small disk, reserve and job space are each limited to the disk's size divided by this."""

_SLICE = 128 * 1024
"""Bytes that one release frees."""

_BLOCK = 64 * 1024

_FULL = {errno.ENOSPC, errno.EDQUOT}

T = TypeVar("T")

DISK_FULL = "The disk of the output folder is full. Make room on it, or delete jobs."


def is_full(error: BaseException | None) -> bool:
    """Return whether an error or its cause is a full disk or quota."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if _sqlite_code(error) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def may_be_full(error: BaseException | None) -> bool:
    """Return whether a full disk may be the cause; SQLite reports a full quota as an I/O error."""
    codes = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
    while error is not None:
        if is_full(error) or _sqlite_code(error) in codes:
            return True
        error = error.__cause__
    return False


def storage_error(error: BaseException) -> StorageUnavailableError:
    """Return the error of a request that failed because of `error`."""
    unavailable = StorageUnavailableError(DISK_FULL if is_full(error) else None)
    unavailable.__cause__ = error
    return unavailable


async def finish_or_full(work: Callable[[], T]) -> T:
    """Do blocking work to its end, even if the caller is cancelled meanwhile.

    Raises `StorageUnavailableError` where the disk is full.
    """
    try:
        return await until_done(asyncio.create_task(asyncio.to_thread(work)))
    except OSError as error:
        if is_full(error):
            raise storage_error(error) from error
        raise


def require_job_room(folder: Path) -> None:
    """Raise `StorageUnavailableError` if the disk of `folder` has no room for a job's files."""
    disk = _disk(folder)
    if disk is not None and disk.free < disk.part(JOB_BYTES):
        raise storage_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)))


class Reserve:
    """A file at `path` whose space is freed for changes of the job table when the disk is full.

    Its bytes are random: zeros would take no space where the file system compresses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self) -> None:
        """Fill the file up, unless a job's files need the space. May block."""
        with suppress(OSError):
            disk = _disk(self._path.parent)
            if disk is None:
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                missing = disk.part(RESERVE_BYTES) - os.fstat(descriptor).st_size
                if missing > 0 and disk.free >= missing + disk.part(JOB_BYTES):
                    for start in range(0, missing, _BLOCK):
                        os.write(descriptor, os.urandom(min(_BLOCK, missing - start)))
            finally:
                os.close(descriptor)

    def release(self) -> bool:
        """Free a part of the file; return False if it was empty. May block."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            size = os.fstat(descriptor).st_size
            if size:
                os.ftruncate(descriptor, max(0, size - _SLICE))
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return size > 0

    def release_all(self) -> None:
        """Free the whole file. May block."""
        with suppress(OSError):
            self._path.unlink()


@dataclass(frozen=True, slots=True)
class _Disk:
    total: int
    free: int

    def part(self, most: int) -> int:
        """Return `most`, or less on a small disk."""
        return min(most, self.total // _SHARE)


def _disk(folder: Path) -> _Disk | None:
    """Return the size of a disk; None if it is unknown."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return None
    if not status.f_blocks:  # some network and user-space file systems
        return None
    return _Disk(status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize)


def _sqlite_code(error: BaseException) -> int | None:
    """Return the primary code of SQLite's error."""
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    return None if code is None else code & 0xFF
