"""The prepared pictures of jobs: from the spool to their own folder, until the job is COMPLETE."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sdrest.jobs.durable import move_folder, sync_path
from sdrest.jobs.model import Job


def adopt(source: Path, target: Path) -> None:
    """Move a folder of pictures to `target`, durably, replacing stale files. May block."""
    for path in (*source.iterdir(), source):
        sync_path(path)
    remove(target)
    move_folder(source, target)
    sync_path(target.parent)


def names(job: Job) -> tuple[str, ...]:
    """Return the names of a job's pictures; its params are true for each optional one."""
    kind = job.key.type
    return (*kind.uploads, *(name for name in kind.optional_uploads if job.params.get(name)))


def lend(pictures: Iterable[Path], target: Path) -> None:
    """Give a run its own links to pictures, or copies; raises `OSError`. May block.

    The run goes on if a user removes the originals.
    """
    for picture in pictures:
        copy = target / picture.name
        try:
            copy.hardlink_to(picture)
        except FileNotFoundError:
            raise
        except OSError:  # not every file system has links
            shutil.copyfile(picture, copy)


def size(*folders: Path) -> int:
    """Return how many bytes the files in folders take; a missing folder takes none. May block."""
    total = 0
    for folder in folders:
        with suppress(OSError):
            total += sum(path.lstat().st_size for path in folder.iterdir())
    return total


def remove(folder: Path) -> None:
    """Remove a folder with its content, as far as possible. May block."""
    shutil.rmtree(folder, ignore_errors=True)
