"""The protocol between a job and what runs it.

An `Executor` turns a `Task` into events. What consumes the events knows nothing else of scripts,
processes or machines: `engine.local` runs tasks here, others may send them to another machine.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto, unique
from pathlib import Path
from typing import NamedTuple, Protocol

from sdrest.engine.workers import WorkerInfo
from sdrest.errors import Failure
from sdrest.job_types import JobType
from sdrest.params import Params

STOP_SECONDS = 2.0
"""Seconds from the first process that a stop signals to the last one, the server or a script."""

NO_OWNER = "-"
"""The owner of processes that no server ends at its start: those of `generate` and of programs."""


class Need(NamedTuple):
    """What a machine has to have for a job: the checkpoint `model`; '' is the type's default."""

    type: JobType
    model: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One run of one script: values and local files, nothing that cannot be sent elsewhere.

    `id` is the job's; it is empty where there is none. `params` hold the limits, such as
    `keep_alive`. `seed` is always a number. `image` and `mask` are files with RGB and L pictures of
    equal size, as `sdrest.pictures` prepared them. `workdir` is an empty folder of this run alone;
    the executor puts the images there, may leave anything in it, and its owner removes it.
    `previews` says whether `Preview` events are wanted.
    """

    id: str
    params: Params
    seed: int
    workdir: Path
    image: Path | None = None
    mask: Path | None = None
    previews: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The script's process runs.

    `model` is the file name of its checkpoint. `runner` names the process, for logs. `warm` says
    that it has run other scripts before.
    """

    model: str = ""
    runner: str = ""
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """The script has written something since the last event; at most some a second."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Image `index` (from 1) is done to `fraction` (0 to 1).

    The first one, with the fraction 0, comes with the script's first bar, when the model is loaded.
    A script without bars has none.
    """

    index: int
    fraction: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What image `index` (from 1) looks like so far: a small picture, as the bytes of a file.

    At most two a second. Of images that are made in one batch only the first has previews.
    """

    index: int
    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ImageReady:
    """Image `index` (from 1, in order, once each) is complete at `path`.

    `flagged` where the script's safety checker has replaced it. `attention` is how the script
    computed it, `exact` or `fast`; empty for an engine without attention.
    """

    index: int
    path: Path
    flagged: bool = False
    attention: str = ""


@unique
class Requeue(Enum):
    """Whether a failed task should run again, here or elsewhere, because it is not at fault."""

    NO = auto()
    IF_STOPPING = auto()
    """A signal that a stop sends to all processes may have ended the script."""
    YES = auto()
    """The executor lost the task, for example with the machine that ran it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the task, with success where `failure` is None: all images were ready.

    The script has returned and nothing that it started is left; its own process may still end.
    `peak_rss` is the most memory in bytes that the script's process was seen with, if it was.
    """

    failure: Failure | None = None
    peak_rss: int | None = field(default=None, compare=False)
    requeue: Requeue = field(default=Requeue.NO, compare=False)


Event = Started | Output | Progress | Preview | ImageReady | Finished


@dataclass(frozen=True, slots=True)
class Health:
    """Why tasks of a job type would fail now; types that would run are missing.

    `bundled` says that the pictures come from the bundled engine.
    """

    problems: Mapping[JobType, Failure]
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class PoolStats:
    """How many runners run a script, how many wait for one, and what all hold, in bytes (RSS).

    `models` are the real paths of the checkpoints that they have loaded, or are loading; those on
    other machines are named as in `Offer`. `device` is what the latest script has computed on, such
    as `cuda`; '' while that is unknown.
    """

    busy: int
    idle: int
    memory: int
    models: frozenset[str] = frozenset()
    device: str = ""


class Executor(Protocol):
    """Runs tasks, here or on other machines."""

    @property
    def capacity(self) -> int:
        """How many tasks it can run at once now; it may change, and be 0."""
        ...

    def watch_capacity(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call `changed`, on the event loop, when `capacity` is another; return what ends that."""
        ...

    def ready(self, claimed: Mapping[str, Need]) -> Collection[Need] | None:
        """Return what it can run now besides the `claimed` jobs, by id; None stands for anything.

        Those are all jobs that were claimed for it and have not ended, begun or not.
        """
        ...

    def waits_for(self, need: Need) -> str:
        """Return, in sentences, why no job with this need can run; '' where one can, or soon."""
        ...

    def workers(self) -> Sequence[WorkerInfo]:
        """Return the machines that it knows; empty where there is only this one."""
        ...

    def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task: at most one `Started` first, exactly one `Finished` last.

        Never raises for what a script does. Closing the generator, or cancelling its consumer,
        ends the script and all that it started before the call returns. `Progress` may repeat
        itself or go back; `sdrest.execution` corrects that.
        """
        ...

    async def health(self) -> Health:
        """Look for what would make tasks fail."""
        ...

    async def stats(self) -> PoolStats:
        """Count the runners and their memory."""
        ...

    def preload(self) -> None:
        """Start to load the text-to-image model, in the background; a failure is logged."""
        ...

    async def unload(self) -> None:
        """Free the memory of models that no task uses."""
        ...

    async def close(self) -> None:
        """End every process that is still there."""
        ...


class OneMachine:
    """The answers of an executor that runs any task, on this machine alone."""

    def watch_capacity(self, changed: Callable[[], object]) -> Callable[[], None]:  # noqa: ARG002 (it never changes)
        """Do nothing, since `capacity` never changes."""
        return lambda: None

    def ready(self, claimed: Mapping[str, Need]) -> Collection[Need] | None:  # noqa: ARG002 (anything may run)
        """Return None: where something is missing, the job fails and says so."""
        return None

    def waits_for(self, need: Need) -> str:  # noqa: ARG002 (nothing waits)
        """Return ''."""
        return ""

    def workers(self) -> Sequence[WorkerInfo]:
        """Return nothing."""
        return ()
