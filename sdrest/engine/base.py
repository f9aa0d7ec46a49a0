"""The seam between a job and what runs it.

An `Executor` turns a `Task` into events. The queue knows nothing else of scripts, processes or
machines; a warm host, a GPU box over the network or a pool of both are further executors.
"""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sdrest.errors import Failure
from sdrest.params import Params

NO_OWNER = "-"
"""The owner of processes that no server sweeps: those of `generate` and of Python programs."""

STOP_SECONDS = 2.0
"""Seconds from the first process that a stop signals to the last one, the server or a script."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run of one script.

    `id` is the job's; it is empty where there is none. `workdir` is an empty folder of this run
    alone; the executor may leave anything in it and its owner removes it. `image` and `mask` are
    RGB and L pictures of equal size, as `sdrest.pictures` prepared them. `seed` is always a number.
    The executor calls `heard`, on the event loop, whenever the script writes something.
    """

    id: str
    params: Params
    seed: int
    workdir: Path
    image: Path | None = None
    mask: Path | None = None
    heard: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Started:
    """The script's process runs; `warm` where it has run other scripts before."""

    pid: int
    warm: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Image `index` (from 1) is done to `fraction` (0 to 1).

    The first one, where nothing is done, comes when the script's first bar does: it has loaded its
    model. A script without bars has none.
    """

    index: int
    fraction: float


@dataclass(frozen=True, slots=True)
class ImageReady:
    """Image `index` (from 1, in order, once each) lies complete at `path`, inside the workdir.

    `flagged` where the script's safety checker has replaced it.
    """

    index: int
    path: Path
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the task, with success where `failure` is None: all images were ready.

    The script has returned and nothing that it started is left; its own process may still end.
    `peak_rss` is the most memory in bytes that the script's process was seen with, if it was.
    `signalled` says that a signal which a stop sends to all processes may have ended the script.
    """

    failure: Failure | None = None
    peak_rss: int | None = field(default=None, compare=False)
    signalled: bool = field(default=False, compare=False)


Event = Started | Progress | ImageReady | Finished


class Executor(Protocol):
    """Runs tasks, several at once if asked to."""

    def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task: at most one `Started` first, exactly one `Finished` last.

        Never raises for what a script does. Closing the generator, or cancelling its consumer,
        ends the script and all that it started before the call returns.
        """
        ...

    async def close(self) -> None:
        """End every process that is still there."""
        ...
