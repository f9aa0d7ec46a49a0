"""Sync and move files so that they survive a power failure, also on less capable file systems."""

import errno
import fcntl
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: fsync reaches only the disk's cache (fsync(2)), this the disk. Some volumes lack it."""

_NO_FOLDER_SYNC = {
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EACCES,
    errno.EPERM,
    errno.EBADF,
    errno.EISDIR,
}
"""Errors of file systems that cannot sync a folder; EIO and ENOSPC are not among them."""


UNSYNCED = (
    "The file system of the output folder cannot sync folders, so a power failure may "
    "lose the last images."
)


def sync(descriptor: int) -> None:
    """Write an open file or folder to the disk.

    Raises `OSError`, but not for a folder whose file system cannot sync folders.
    """
    try:
        _sync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise


def syncs_folders(folder: Path) -> bool:
    """Return whether the file system of `folder` can sync folders; raises other `OSError`s."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _sync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def sync_path(path: Path) -> None:
    """Write a file or a folder to the disk; raises `OSError`, also for a symbolic link."""
    descriptor = _open(path)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def move_file(source: Path, name: str, folder: int) -> None:
    """Move a synced file to `name` in an open folder in one step, also from another file system.

    A file at `name` is replaced. From another file system the file is copied to `partial(name)`
    beside it, synced and renamed. Raises `OSError`. May block.
    """
    try:
        os.rename(source, name, dst_dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    part = partial(name)
    try:
        _copy(source, part, folder)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
    with suppress(OSError):  # the folder of `source` is emptied later
        source.unlink()


def move_folder(source: Path, target: Path) -> None:
    """Move a folder of synced files to `target`, which does not exist; else as `move_file`."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    part = target.with_name(partial(target.name))
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(mode=0o700)
        _copy_all(source, part)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(source, ignore_errors=True)


def partial(name: str) -> str:
    """Return the name of the copy that becomes `name`; a crash may leave it."""
    return f".{name}.part"


def _copy(source: Path, name: str, folder: int) -> None:
    """Copy a file to `name` in an open folder and sync it; a file at `name` is overwritten."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with (
        os.fdopen(_open(source), "rb") as reader,
        os.fdopen(os.open(name, flags, 0o666, dir_fd=folder), "wb") as writer,
    ):
        shutil.copyfileobj(reader, writer, 2**20)
        writer.flush()
        sync(writer.fileno())


def _copy_all(source: Path, target: Path) -> None:
    """Copy the files in a folder to another one, and sync all."""
    descriptor = _open(target)
    try:
        for path in source.iterdir():
            _copy(path, path.name, descriptor)
        sync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # O_NONBLOCK: a FIFO in its place does not hang us.
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _sync(descriptor: int) -> None:
    if _FULL_SYNC is not None:
        with suppress(OSError):
            fcntl.fcntl(descriptor, _FULL_SYNC)
            return
    os.fsync(descriptor)
