"""Checkpoints that a script reads: which file they come from, and whether they fit the model."""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Tuple  # noqa: UP035 (evaluated, in Python 3.8 too)

from . import weights

Identity = Tuple[str, int, int, int, int]  # noqa: UP006 (as above)
"""A file: its path without links, device, inode, size and the time of its last change in ns."""

_SCRIPT_WITHOUT_ENCODER = "txt2img.py"
"""The script that encodes no picture, and so needs no weights of the encoder."""


@dataclass(frozen=True)
class CheckpointSource:
    """The source of weights: the checkpoint's file and its small entries."""

    identity: Identity
    metadata: Mapping[str, Any] = field(compare=False)


class TaggedWeights(collections.OrderedDict):  # type: ignore[type-arg]  # Python 3.8
    """The weights of a checkpoint, with the file that they come from."""

    source: CheckpointSource


class _LazyMapping(Mapping):  # type: ignore[type-arg]  # Python 3.8
    """A mapping that reads a file when a key is not known."""

    def __init__(self, known: Mapping[str, Any], read: Callable[[], Mapping[str, Any]]) -> None:
        self._known = known
        self._read = read

    def __getitem__(self, key: str) -> Any:
        return self._known[key] if key in self._known else self._read()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._known or key in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


class CachedCheckpoint(_LazyMapping):
    """A checkpoint whose weights are in a cached model; the file is read only if needed."""

    def __init__(self, source: CheckpointSource, read: Callable[[], Mapping[str, Any]]) -> None:
        once = functools.lru_cache(maxsize=1)(read)
        super().__init__({**source.metadata, "state_dict": CachedWeights(source, once)}, once)


class CachedWeights(_LazyMapping):
    """The weights of a `CachedCheckpoint`."""

    def __init__(self, source: CheckpointSource, read: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__({}, lambda: read()["state_dict"])
        self.source = source


class WithoutWeights(dict):  # type: ignore[type-arg]  # Python 3.8
    """A checkpoint without `state_dict`; reading that key raises `UnusableCheckpointError`."""

    @classmethod
    def of(cls, checkpoint: Any) -> Any:
        """Return a checkpoint as this class; unchanged if it has weights or is not a dict."""
        if type(checkpoint) not in (dict, collections.OrderedDict) or "state_dict" in checkpoint:
            return checkpoint
        return cls(checkpoint)

    def __missing__(self, key: str) -> Any:
        problem = (
            weights.missing_state_dict_problem(describe_weights(self))
            if key == "state_dict"
            else None
        )
        if problem is None:
            raise KeyError(key)
        raise weights.UnusableCheckpointError(problem)


def check(
    module: Any, state: Mapping[str, Any], *, pretrained_ids: Iterable[int], script: str
) -> None:
    """Raise `UnusableCheckpointError` if a checkpoint lacks weights that the model needs."""
    encodes = script != _SCRIPT_WITHOUT_ENCODER
    needed = weights.needs(module, pretrained=pretrained_ids, encodes=encodes)
    problem = weights.problem(needed, describe_weights(state))
    if problem:
        raise weights.UnusableCheckpointError(problem)


def check_schedule(module: Any, state: Mapping[str, Any]) -> None:
    """Raise `UnusableCheckpointError` if the checkpoint's noise schedule cannot be used."""
    if weights.SCHEDULE in state and hasattr(module, weights.SCHEDULE):
        values = getattr(module, weights.SCHEDULE).tolist()
        problem = weights.schedule_problem(values, describe_weights(state)[weights.SCHEDULE].dtype)
        if problem:
            raise weights.UnusableCheckpointError(problem)


def describe_weights(state: Mapping[str, Any]) -> dict[str, weights.Weight]:
    """Return the shape and the type of each tensor; other values have neither."""
    return {
        str(name): weights.Weight(
            tuple(getattr(value, "shape", ())),
            str(getattr(value, "dtype", "")).rpartition(".")[2],
        )
        for name, value in state.items()
    }


def tag_source(checkpoint: Any, file: Identity) -> None:
    """Record in the weights of a checkpoint which file they come from."""
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        return
    tagged = TaggedWeights(checkpoint["state_dict"])
    tagged.__dict__.update(getattr(checkpoint["state_dict"], "__dict__", {}))  # its _metadata
    metadata = {k: v for k, v in checkpoint.items() if isinstance(v, (int, float, str))}
    tagged.source = CheckpointSource(file, metadata)
    checkpoint["state_dict"] = tagged


def file_identity(file: Any) -> Identity | None:
    """Return the identity of the file at a path; None if there is none."""
    if not isinstance(file, (str, os.PathLike)):
        return None
    try:
        path = os.path.realpath(file)
        status = Path(path).stat()
    except OSError:
        return None
    return path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
