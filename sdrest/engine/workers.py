"""The machines that an executor runs tasks on: what each one offers, and its state."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sdrest.errors import Failure
from sdrest.job_types import JobType


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A checkpoint that jobs may name on a worker.

    `file` is its path in the worker's `--models` folder, the name by which jobs choose it; `name`
    and `kind` are as in `checkpoints.catalog.Checkpoint`. `digest` is its SHA-256 in hex, empty
    until it is known. `defaults` are the types of jobs that use it where they name none.
    """

    name: str
    file: str
    size: int
    kind: str
    digest: str
    types: Sequence[JobType]
    defaults: Sequence[JobType] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a worker is and has. `memory` is in bytes.

    `accelerator` is `cuda`, `mps` or `cpu`; '' while it is unknown.

    `problems` are why jobs of a type that name no model would fail there now, by type. `bundled`
    says that its pictures come from the bundled engine.
    """

    name: str
    capacity: int
    accelerator: str
    memory: int
    models: Sequence[OfferedModel] = ()
    problems: Mapping[JobType, Failure] = field(default_factory=dict)
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker as the front sees it. Times are seconds since the epoch.

    `address` is empty for the server's own runners. `versions` are those of `sdrest`, `python` and
    `protocol`. `offer` is None for a worker that was `refused`, which says why. `runs` are the ids
    of the jobs that it runs; `loaded` the files of the checkpoints in its memory; `memory` what its
    runners hold, in bytes. `lost` says that it does not answer. `warnings` are sentences.
    """

    name: str
    address: str
    versions: Mapping[str, str]
    since: float
    last_seen: float
    offer: Offer | None = None
    runs: Sequence[str] = ()
    loaded: Sequence[str] = ()
    busy: int = 0
    idle: int = 0
    memory: int = 0
    draining: bool = False
    lost: bool = False
    refused: str = ""
    warnings: Sequence[str] = ()


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: where `attic` is, that is `attic (2)`. Pure."""
    numbered = (f"{wanted} ({number})" for number in itertools.count(2))
    return next(name for name in itertools.chain([wanted], numbered) if name not in taken)
