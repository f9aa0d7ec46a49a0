"""The paths below the output folder."""

import errno
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sdrest.errors import NotFoundError, UsageError
from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey

_ID = re.compile(r"[0-9a-f]{32}")
_TRIED = 4096
"""Bytes of a file that is written to see whether there is room."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The layout of `output` (an absolute path).

    `TYPE/ID/N.png` are the published images, as the original laid them; the rest is in `.sdrest/`.
    """

    output: Path

    @property
    def private(self) -> Path:
        """The folder of the server's own files."""
        return self.output / ".sdrest"

    @property
    def database(self) -> Path:
        """The file of the job table."""
        return self.private / "jobs.sqlite3"

    @property
    def lock(self) -> Path:
        """The file that the server of this folder holds locked."""
        return self.private / "lock"

    @property
    def reserve(self) -> Path:
        """The file that keeps room on the disk for the job table."""
        return self.private / "reserve"

    @property
    def hashes(self) -> Path:
        """The file that keeps the hashes of checkpoints."""
        return self.private / "hashes.json"

    @property
    def spool(self) -> Path:
        """The folder of uploads on their way in; emptied at every start."""
        return self.private / "spool"

    @property
    def all_inputs(self) -> Path:
        """The folder of every job's prepared pictures."""
        return self.private / "inputs"

    @property
    def work(self) -> Path:
        """The folder of the runs' work folders; emptied at every start."""
        return self.private / "work"

    def inputs(self, key: JobKey) -> Path:
        """Return the folder of a job's `image.png` and `mask.png`, there until it is COMPLETE."""
        return self.all_inputs / _name(key)

    def published(self, key: JobKey) -> Path:
        """Return the folder of a job's images."""
        return self.output / key.type / _checked_id(key)

    def is_taken(self, key: JobKey) -> bool:
        """Whether `published` exists; called for each new request, so without a Path."""
        return os.path.lexists(f"{self.output}/{key.type}/{_checked_id(key)}")

    def workdir(self, key: JobKey, attempt: int) -> Path:
        """Return the work folder of a job's run number `attempt`, counted from 1."""
        return self.work / f"{_name(key)}-{attempt}"

    def create(self) -> None:
        """Make the folders that are missing; harmless where a server runs already.

        Raises `UsageError` where that is not possible or a folder is a symbolic link.
        """
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            self.create_inside()
        except OSError as error:
            raise UsageError(f"Cannot use the output folder {self.output}: {error}.") from error

    def create_inside(self) -> None:
        """Make what is missing in an existing output folder; raises `OSError`. May block.

        A symbolic link is refused, wherever it leads. An output folder that is gone while the
        server runs may be a disk that is not mounted; a new one would hide the jobs of that disk.
        """
        for folder in (self.private, self.spool, self.all_inputs, self.work):
            _make(folder, 0o700)
        for job_type in JobType:
            _make(self.output / job_type, 0o777)

    def empty(self) -> None:
        """Remove uploads and work folders of the previous run; raises `OSError`. May block."""
        for folder in (self.spool, self.work):
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def spool_folder(self) -> Path:
        """Make a new folder in the spool, which a user may have removed; raises `OSError`."""
        try:
            return Path(tempfile.mkdtemp(dir=self.spool))
        except FileNotFoundError:
            self.create_inside()
            return Path(tempfile.mkdtemp(dir=self.spool))

    def check_writable(self) -> None:
        """Raise `OSError` where uploads or images cannot be written now. May block."""
        self.create_inside()
        with tempfile.TemporaryFile(dir=self.spool) as file:
            file.write(bytes(_TRIED))
        for folder in (self.all_inputs, self.work, *map(self.output.joinpath, JobType)):
            # A file has no "." in it; a `Path` would drop that.
            if not os.access(os.path.join(folder, "."), os.W_OK | os.X_OK):  # noqa: PTH118
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _make(folder: Path, mode: int) -> None:
    """Make a folder unless it is there."""
    try:
        folder.mkdir(mode)
    except FileExistsError:
        kind = folder.lstat().st_mode
        if stat.S_ISLNK(kind):
            message = "It is a symbolic link; it should be a real folder"
            raise OSError(errno.ELOOP, message, str(folder)) from None
        if not stat.S_ISDIR(kind):
            raise


def _name(key: JobKey) -> str:
    return f"{key.type}-{_checked_id(key)}"


def _checked_id(key: JobKey) -> str:
    """Return the id, which becomes a part of paths, if it is one."""
    if not _ID.fullmatch(key.id):
        raise NotFoundError
    return key.id
