"""The prepared pictures of jobs: from the spool to their own folder, until the job is COMPLETE."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sdrest.job_types import JobType
from sdrest.jobs.durable import move_folder, sync_path


def adopt(source: Path, target: Path) -> None:
    """Move a folder of pictures to `target`, durably, replacing stale files. May block."""
    for path in (*source.iterdir(), source):
        sync_path(path)
    remove(target)
    move_folder(source, target)
    sync_path(target.parent)


def pictures(folder: Path, job_type: JobType) -> dict[str, Path]:
    """Return the pictures in a job's folder by name: the required ones, there or not, and others.

    May block.
    """
    paths = {name: folder / f"{name}.png" for name in job_type.all_uploads}
    return {n: path for n, path in paths.items() if n in job_type.uploads or path.is_file()}


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
