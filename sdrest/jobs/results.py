"""The published images: `TYPE/ID/N.png`, always complete, never through a symbolic link."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from cachetools import TTLCache

from sdrest import png
from sdrest.errors import NotFoundError
from sdrest.jobs.durable import move_file, sync, sync_path
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, JobKey, Status

_IMAGE = re.compile(r"[1-9][0-9]*\.png|\.[1-9][0-9]*\.png\.part")
"""Images, and what a crash leaves of a copy (`durable.partial`)."""

_FEW = 4
"""The images of a job with no more than these are looked for each time."""

_TRUSTED_SECONDS = 0.1
_MOST_TRUSTED = 256

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def publish(folders: Folders, key: JobKey, number: int, source: Path) -> tuple[int, int] | None:
    """Move a complete image to its place, atomically and durably, replacing the one there.

    Returns its width and height, None for a file that is not a PNG. Raises `OSError`, also
    where `source` or a folder on the way is a symbolic link. May block.
    """
    if not _is_real_file(source):
        raise OSError(f"{source.name} is not a file")
    size = _size(source)
    sync_path(source)
    folder = folders.published(key)
    with contextlib.suppress(FileExistsError):  # a user may have removed it since the start
        folder.parent.mkdir()
    with _folder(folder.parent) as parent:
        try:
            os.mkdir(folder.name, dir_fd=parent)
        except FileExistsError:
            pass
        else:
            sync(parent)
        with _folder(folder, parent) as target:
            move_file(source, f"{number}.png", target)
            sync(target)
    return size


def _size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        try:
            return png.size(lambda position, length: os.pread(file.fileno(), length, position))
        except png.BrokenPngError:
            return None


def image(folders: Folders, key: JobKey, number: int) -> Path:
    """Return the path of an image; raise `NotFoundError` unless it is a real file."""
    folder = folders.published(key)
    path = folder / f"{number}.png"
    if not (_is_real_folder(folder.parent) and _is_real_folder(folder) and _is_image(path)):
        raise NotFoundError
    return path


def missing(folders: Folders, job: Job) -> Sequence[int]:
    """Return the numbers of the listed images whose files are gone, ascending.

    Links, folders and empty files count as missing. Nothing does where the table's file is gone
    too: then the disk is not mounted. This runs for each status of a job with images, so without
    a Path; it takes a few microseconds for each image.
    """
    if not job.images:
        return ()
    parent = f"{folders.output}/{job.key.type}"
    folder = f"{parent}/{job.key.id}"
    numbers: Sequence[int] = range(1, job.images + 1)
    if _mode(parent) == _mode(folder) == stat.S_IFDIR:
        numbers = [number for number in numbers if not _is_image(f"{folder}/{number}.png")]
    return numbers if numbers and folders.database.exists() else ()


class ImageCheck:
    """Looks for the files of listed images, as `missing` does.

    Clients ask for the same status again and again. Where a job has many images, a folder that has
    not changed since the last look is searched ten times a second at most.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._whole: TTLCache[JobKey, object] = TTLCache(_MOST_TRUSTED, _TRUSTED_SECONDS)

    def missing(self, job: Job) -> Sequence[int]:
        """Return the numbers of the listed images whose files are gone, ascending."""
        if job.images <= _FEW:
            return missing(self._folders, job)
        found = _state(f"{self._folders.output}/{job.key.type}/{job.key.id}"), job.images
        if self._whole.get(job.key) == found:
            return ()
        gone = missing(self._folders, job)
        if not gone:
            self._whole[job.key] = found
        return gone


def count(folders: Folders, key: JobKey) -> int:
    """Count the images in a job's folder, from 1 to the first gap. May block."""
    folder = folders.published(key)
    if not (_is_real_folder(folder) and _is_real_folder(folder.parent)):
        return 0
    number = 0
    while _is_image(folder / f"{number + 1}.png"):
        number += 1
    return number


def original(folders: Folders, key: JobKey) -> Job | None:
    """Return the job of a folder that the original wrote: COMPLETE, with unknown parameters."""
    if not folders.is_taken(key):
        return None
    images = count(folders, key)
    if not images:
        return None
    written = folders.published(key).lstat().st_mtime
    return Job(
        key=key,
        status=Status.COMPLETE,
        params={},
        total_images=images,
        images=images,
        seed=0,
        attempts=1,
        created_at=written,
        started_at=written,
        finished_at=written,
    )


def discard(folders: Folders, key: JobKey, *, empty_folders: bool = False) -> None:
    """Remove a job's images, and its folder if nothing else is in it. May block.

    Empty folders in the place of an image are removed too with `empty_folders`; else an `OSError`
    is raised.
    """
    folder = folders.published(key)
    try:
        with _folder(folder.parent) as parent, _folder(folder, parent) as inside:
            for name in os.listdir(inside):  # noqa: PTH208 (pathlib takes no descriptor)
                if _IMAGE.fullmatch(name):
                    _remove(name, inside, empty_folders=empty_folders)
            with contextlib.suppress(OSError):
                os.rmdir(folder.name, dir_fd=parent)
    except FileNotFoundError:
        pass


def _remove(name: str, folder: int, *, empty_folders: bool) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):  # macOS: EPERM for a folder
        if not empty_folders:
            raise
        os.rmdir(name, dir_fd=folder)


@contextlib.contextmanager
def _folder(path: Path, parent: int | None = None) -> Iterator[int]:
    """Open a real folder, by its name in `parent` if that is given."""
    descriptor = os.open(path if parent is None else path.name, _FOLDER_FLAGS, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_real_folder(path: Path) -> bool:
    return _mode(path) == stat.S_IFDIR


def _is_real_file(path: Path) -> bool:
    return _mode(path) == stat.S_IFREG


def _is_image(path: Path | str) -> bool:
    """Whether `path` is a real file with content."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _state(path: str) -> tuple[int, int] | None:
    """Return what changes when a file of a folder is added, renamed or removed."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _mode(path: Path | str) -> int | None:
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return None
