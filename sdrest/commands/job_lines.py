"""The log's lines on jobs: what the bus tells, in the original's words. Pure."""

import math
from typing import assert_never

from sdrest.commands.lines import Colour, Level, Line, Span
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status

_TYPE_WIDTH = 15
_BAR_WIDTH = 10


class JobLines:
    """Events to lines. It remembers running jobs, so that no step is told twice."""

    def __init__(self) -> None:
        self._told: dict[JobKey, str] = {}

    def line(self, event: JobEvent) -> Line | None:
        """Return the line for an event, or None where there is nothing new to tell."""
        job = event.snapshot.job
        match event.change:
            case Change.QUEUED:
                return _line(job, "Queued...")
            case Change.STARTED:
                return _line(job, "Starting...")
            case Change.PROGRESS:
                return self._progress(event.snapshot)
            case Change.IMAGE:
                return None
            case Change.REQUEUED:
                self._told.pop(job.key, None)
                return _line(job, "Interrupted, queued again...")
            case Change.FINISHED:
                self._told.pop(job.key, None)
                return _end(job)
            case _:
                assert_never(event.change)

    def _progress(self, snapshot: Snapshot) -> Line | None:
        job, position = snapshot.job, snapshot.position
        if position is None:
            return None
        step = progress(position, job.total_images)
        if self._told.get(job.key) == step:
            return None
        self._told[job.key] = step
        return _line(job, step)


def progress(position: Position, total: int) -> str:
    """Return a position as text, e.g. `2/3  50% █████`."""
    percent = math.floor(position.fraction * 100 + 1e-9)  # 0.29 * 100 is 28.999999999999996
    bar = "█" * math.floor(position.fraction * _BAR_WIDTH + 0.5)
    return f"{position.index}/{total} {percent:3}% {bar}"


def _end(job: Job) -> Line:
    if job.status is Status.COMPLETE:
        return _line(job, "Done", Level.SUCCESS)
    if job.failure is None:
        return _line(job, "Cancelled")
    return _line(job, job.failure.message, Level.ERROR)


def _line(job: Job, text: str, level: Level = Level.INFO) -> Line:
    path = Span(f"/{job.key.type}".ljust(_TYPE_WIDTH), Colour.YELLOW)
    return Line.of(level, path, " ", Span(job.key.id, Colour.GRAY), " ", text)
