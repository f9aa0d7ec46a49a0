"""How long each phase of a job takes, from the events of the bus. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto, unique
from typing import assert_never

from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Status


@unique
class Phase(StrEnum):
    """A part of a job's life."""

    QUEUED = auto()
    """From the request to the start of the first run."""
    LOADING = auto()
    """From the start of a run to the script's first bar: pictures laid out, imports, the model."""
    SAMPLING = auto()
    """One image's part of the time from a batch's beginning to its last image's publication."""
    RUN = auto()
    """From the start of the run to its good end."""


@dataclass(frozen=True, slots=True)
class Lap:
    """A phase took `seconds`, `times` times."""

    phase: Phase
    seconds: float
    times: int = 1


@dataclass(slots=True)
class _Run:
    started: float
    batch_size: int
    images: int = 0
    batch_began: float | None = None


class PhaseTimer:
    """Events to laps. A phase whose beginning was not seen is left out: nothing is guessed."""

    def __init__(self) -> None:
        self._runs: dict[JobKey, _Run] = {}

    def laps(self, event: JobEvent, now: float) -> Iterator[Lap]:
        """Yield what an event ends; `now` is its time in seconds, on a clock that never goes back.

        Times that the job's row has are taken from it.
        """
        job = event.snapshot.job
        run = self._runs.get(job.key)
        match event.change:
            case (
                Change.QUEUED
                | Change.WAITING
                | Change.FILES_CHANGED
                | Change.MARKED
                | Change.PREVIEW
            ):
                pass
            case Change.STARTED:
                self._runs[job.key] = _Run(now, int(job.params.get("batchSize", 1)))
                if job.attempts == 1 and not job.images:  # else it also ran, which is not waiting
                    yield from _lap(Phase.QUEUED, job.created_at, job.started_at)
            case Change.PROGRESS:
                if run and run.batch_began is None and not run.images:
                    run.batch_began = now
                    yield Lap(Phase.LOADING, now - run.started)
            case Change.IMAGE:
                if run:
                    yield from _image(run, now)
            case Change.REQUEUED | Change.DELETED | Change.DELETE_FAILED:
                self._runs.pop(job.key, None)
            case Change.FINISHED:
                self._runs.pop(job.key, None)
                yield from _whole(job)
            case _:
                assert_never(event.change)


def _image(run: _Run, now: float) -> Iterator[Lap]:
    """Give each image an equal part of its batch's time, since they come together."""
    run.images += 1
    if run.images % run.batch_size:
        return
    if run.batch_began is not None:
        seconds = (now - run.batch_began) / run.batch_size
        yield Lap(Phase.SAMPLING, seconds, run.batch_size)
    run.batch_began = now


def _whole(job: Job) -> Iterator[Lap]:
    if job.status is Status.COMPLETE:
        yield from _lap(Phase.RUN, job.started_at, job.finished_at)


def _lap(phase: Phase, begin: float | None, end: float | None) -> Iterator[Lap]:
    if begin is not None and end is not None:
        yield Lap(phase, max(0.0, end - begin))  # the clock of the rows may be set back
