"""The checkpoints that jobs may name: those in the folder of `--models`, and those of the flags.

Names work as in AUTOMATIC1111's web UI: the path of a file in the folder, without its ending.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sdrest.checkpoints.kinds import REASONS, TYPES
from sdrest.checkpoints.recognition import DIFFUSERS_INDEX, recognise
from sdrest.errors import FieldError, InvalidRequestError
from sdrest.job_types import JobType
from sdrest.params import Params

_ENDINGS = (".ckpt", ".safetensors", ".gguf", ".zip")
_SHOWN = 10
"""Most names in an error message."""


class Identity(NamedTuple):
    """A file: its real path, device, inode, size in bytes, time of the last change in ns."""

    path: str
    device: int
    inode: int
    size: int
    changed: int


class File(NamedTuple):
    """A checkpoint's name, its path in the folder, and where it is."""

    name: str
    file: str
    path: Path


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file that a job may name, or why none may.

    `file` is its path in the folder, `name` that without the ending unless two files share it.
    `kind` is a key of `kinds.TYPES` or `kinds.REASONS`; `reason` says in sentences why it cannot be
    used and what to do, and is empty if it can. `defaults` are the types of jobs that use it where
    they name none. `trusted` says that it is a file of the flags, outside the folder. `workers` are
    the names of those machines of a cluster that have it, `digest` is its SHA-256 there.
    """

    name: str
    file: str
    path: Path
    size: int
    kind: str
    reason: str = ""
    defaults: tuple[JobType, ...] = ()
    trusted: bool = False
    workers: tuple[str, ...] = ()
    digest: str = ""

    @property
    def usable(self) -> bool:
        """Whether jobs may name it."""
        return not self.reason

    @property
    def types(self) -> tuple[JobType, ...]:
        """The types of jobs that it serves."""
        return TYPES.get(self.kind, ()) if self.usable else ()


class Catalog:
    """The checkpoints in `folder` and those of `defaults`: the files of the two flags.

    Files are recognised by their content, again when they change. Methods block: call them in a
    thread. `loads` says whether the engine loads checkpoints; the bundled one does not.
    """

    def __init__(
        self, folder: Path, defaults: Mapping[JobType, Path], *, loads: bool = True
    ) -> None:
        self._folder = folder
        self._defaults = defaults
        self._loads = loads
        self._kinds: dict[Identity, str] = {}
        self._lock = threading.Lock()

    def entries(self) -> Sequence[Checkpoint]:
        """Return all checkpoints in the order of their names, usable or not."""
        return [self._describe(*found) for found in self._files()]

    def find(self, name: str) -> Checkpoint | None:
        """Return the checkpoint of a name, with or without its ending; the case may differ.

        A name counts only where one file has it, or one has it in this case.
        """
        found = self._matches(name)
        return self._describe(*found[0]) if len(found) == 1 else None

    def ambiguity(self, name: str) -> str:
        """Return what to say of a name that more than one file has; '' of any other."""
        found = self._matches(name)
        files = " or ".join(one.file for one in found)
        return f"{name!r} is ambiguous: {files}. Write the whole name." if found[1:] else ""

    def choose(self, name: str, job_type: JobType) -> Checkpoint:
        """Return the checkpoint that a job names.

        Raises `InvalidRequestError` where there is none or the job cannot use it.
        """
        found = self.find(name)
        if found is None:
            ambiguity = self.ambiguity(name)
            if ambiguity:
                raise InvalidRequestError([FieldError("model", ambiguity)])
            message = f"There is no model {name!r} here."
        elif not found.usable:
            message = f"{found.name!r} cannot be used. {found.reason}"
        elif job_type not in found.types:
            message = f"{found.name!r} is a model for {' and '.join(found.types)}."
        else:
            return found
        raise InvalidRequestError([FieldError("model", f"{message} {self._choices(job_type)}")])

    def resolve(self, params: Params) -> Params:
        """Return parameters with the file of the model that they name; raises what `choose` does.

        The name of a file stays the same when others come.
        """
        if not params.model:
            return params
        return params.model_copy(update={"model": self.choose(params.model, params.type).file})

    def _matches(self, name: str) -> Sequence[File]:
        """Return the files that a name may mean: more than one where it is ambiguous.

        The file itself comes before those without their ending, and both before another case.
        """
        files = tuple(self._files())
        for fold in (str, str.casefold):
            for form in (str, _without_ending):
                found = [one for one in files if fold(form(one.file)) == fold(name)]
                if found:
                    return found
        return ()

    def _choices(self, job_type: JobType) -> str:
        """Return a sentence with the names that a job of this type may have."""
        names = [repr(one.name) for one in self.entries() if job_type in one.types]
        if not names:
            return f"The server has no models for {job_type}."
        more = f" and {len(names) - _SHOWN} more; see GET /models" if names[_SHOWN:] else ""
        return f"Models for {job_type}: {', '.join(names[:_SHOWN])}{more}."

    def _files(self) -> Iterator[File]:
        """Return each checkpoint's file, in the order of their names."""
        files = dict(sorted(_walk(self._folder), key=lambda item: item[0].casefold()))
        known = {os.path.realpath(path) for path in files.values()}
        for path in self._defaults.values():
            if os.path.realpath(path) not in known and path.is_file():
                files.setdefault(path.name, path)
        return named(files)

    def _describe(self, name: str, file: str, path: Path) -> Checkpoint:
        kind, size = self._recognise(path)
        real = os.path.realpath(path)
        defaults = tuple(
            job_type for job_type, one in self._defaults.items() if os.path.realpath(one) == real
        )
        if defaults and kind == "unknown":  # the flag says what it is; loading it shows more
            kind = next(kind for kind, types in TYPES.items() if defaults[0] in types)
        reason = REASONS.get(kind, "" if kind in TYPES else REASONS["unknown"])
        outside = not path.is_relative_to(self._folder)
        if not self._loads and not outside:
            reason = REASONS["bundled"]
        return Checkpoint(name, file, path, size, kind, reason, defaults, trusted=outside)

    def _recognise(self, path: Path) -> tuple[str, int]:
        """Return the kind and the size of a file."""
        try:
            key = identity(path)
        except OSError:
            return recognise(path), 0
        with self._lock:
            known = self._kinds.get(key)
        if known is None:
            known = recognise(path)
            with self._lock:
                self._kinds[key] = known
        return known, key.size


def named(files: Mapping[str, Path]) -> Iterator[File]:
    """Yield files with their names: without the ending unless two share that."""
    stems = [_without_ending(file) for file in files]
    for stem, (file, path) in zip(stems, files.items(), strict=True):
        yield File(stem if stems.count(stem) == 1 else file, file, path)


def identity(path: Path) -> Identity:
    """Return what a file has in common with no other, nor with itself before it was changed.

    Raises `OSError`.
    """
    status = path.stat()
    return Identity(
        os.path.realpath(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    )


def _without_ending(file: str) -> str:
    name, ending = os.path.splitext(file)  # noqa: PTH122 (a text with slashes, no path)
    return name if ending.lower() in _ENDINGS else file


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files with the endings of models below a folder, and folders of diffusers.

    Links are followed, each folder once. What begins with a dot is hidden.
    """
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        here = Path(place)
        if DIFFUSERS_INDEX in files or real in seen:
            folders.clear()
            if real not in seen and here != folder:
                yield here.relative_to(folder).as_posix(), here
            seen.add(real)
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(_ENDINGS) and not name.startswith("."):
                yield (here / name).relative_to(folder).as_posix(), here / name
