"""A worker's folder for temporary files: removed at its end, or at the next start of a worker."""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdrest.engine.local.process import kill_orphans
from sdrest.errors import UsageError
from sdrest.jobs.lock import FolderLock

_PREFIX = "sdrest-worker-"
_LOCK, _NEW_LOCK = "lock", "lock.new"


@dataclass(frozen=True, slots=True)
class WorkerFolder:
    """`owner` marks the processes of the worker that uses the folder."""

    path: Path
    owner: str

    @property
    def work(self) -> Path:
        """The folder of the runs' folders."""
        return self.path / "work"


@contextmanager
def worker_folder() -> Iterator[WorkerFolder]:
    """Make a private folder, once those of workers that were killed are gone. May block.

    Raises `UsageError` where there is no folder for temporary files.
    """
    try:
        _clean(Path(tempfile.gettempdir()))
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        (path / "work").mkdir()
    except OSError as error:
        raise UsageError(f"Cannot make a folder for temporary files: {error}.") from error
    lock = FolderLock(path / _NEW_LOCK)
    try:
        lock.acquire()
        (path / _NEW_LOCK).rename(path / _LOCK)  # only now may another worker look at it
        yield WorkerFolder(path, lock.id)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        lock.release()


def _clean(parent: Path) -> None:
    """Remove the folders of this user's workers that live no more, and end their processes."""
    for path in parent.glob(f"{_PREFIX}*"):
        if not _is_own(path / _LOCK, stat.S_ISREG) or not _is_own(path, stat.S_ISDIR):
            continue
        lock = FolderLock(path / _LOCK)
        with contextlib.suppress(UsageError):  # its worker lives
            lock.acquire()
            kill_orphans(lock.id)
            shutil.rmtree(path, ignore_errors=True)
        lock.release()


def _is_own(path: Path, has_kind: Callable[[int], bool]) -> bool:
    """Whether a file is this user's, and of this kind itself."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and has_kind(status.st_mode)
