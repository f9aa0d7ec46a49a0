"""Turn job events into log lines, in the original's words. Pure."""

import math
from collections.abc import Iterator
from typing import assert_never

from sdrest.commands.log_lines import Colour, Level, LogLine, Span
from sdrest.engine.base import Progress
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Status

_TYPE_WIDTH = 15
_PATHS = {job_type: Span(f"/{job_type}".ljust(_TYPE_WIDTH), Colour.YELLOW) for job_type in JobType}
_SPACE = Span(" ")
_BAR_WIDTH = 10
_BEGINNINGS = {Change.QUEUED: "Queued...", Change.STARTED: "Starting..."}


class JobLines:
    """Turns events into lines; images of a job go from 0 to 100 %, without repeated steps."""

    def __init__(self) -> None:
        self._last_steps: dict[JobKey, str] = {}

    def of(self, event: JobEvent) -> Iterator[LogLine]:
        """Yield the lines for an event, if it has news."""
        job, progress = event.snapshot.job, event.snapshot.progress
        match event.change:
            case Change.QUEUED | Change.STARTED:
                yield _line(job, _BEGINNINGS[event.change])
            case Change.PROGRESS:
                if progress is not None:
                    yield from self._steps(job, progress)
            case Change.IMAGE:
                yield from self._image(job)
            case Change.PREVIEW | Change.MARKED:
                pass
            case Change.WAITING:
                yield _line(job, f"Waiting: {event.snapshot.waiting}")
            case Change.REQUEUED:
                self._last_steps.pop(job.key, None)
                yield _line(job, "Interrupted, queued again...")
            case Change.FINISHED | Change.FILES_CHANGED:
                self._last_steps.pop(job.key, None)
                yield _end(job)
            case Change.DELETED | Change.DELETE_FAILED:
                yield _deletion(job, event.change)
            case _:
                assert_never(event.change)

    def _image(self, job: Job) -> Iterator[LogLine]:
        following = [Progress(job.images + 1, 0.0)] * (job.images < job.total_images)
        yield from self._steps(job, Progress(job.images, 1.0), *following)
        if job.images in job.flagged:
            text = f"The safety checker replaced image {job.images}."
            yield _line(job, text, Level.WARNING)

    def _steps(self, job: Job, *reached: Progress) -> Iterator[LogLine]:
        first = [] if job.key in self._last_steps else [Progress(1, 0.0)]
        for progress in (*first, *reached):
            step = progress_text(progress, job.total_images)
            if self._last_steps.get(job.key) != step:
                self._last_steps[job.key] = step
                yield _line(job, step)


def progress_text(progress: Progress, total: int) -> str:
    """Return progress as text, e.g. `2/3  50% █████`."""
    percent = math.floor(progress.fraction * 100 + 1e-9)  # 0.29 * 100 is 28.999999999999996
    bar = "█" * math.floor(progress.fraction * _BAR_WIDTH + 0.5)
    return f"{progress.index}/{total} {percent:3}% {bar}"


def _deletion(job: Job, change: Change) -> LogLine:
    if change is Change.DELETED:
        return _line(job, "Deleted")
    return _line(job, "Could not be deleted", Level.ERROR)


def _end(job: Job) -> LogLine:
    if job.status is Status.COMPLETE:
        return _line(job, "Done", Level.SUCCESS)
    if job.failure is None:
        return _line(job, "Cancelled")
    return _line(job, job.failure.message, Level.ERROR)


def _line(job: Job, text: str, level: Level = Level.INFO) -> LogLine:
    return LogLine(
        level, (_PATHS[job.key.type], _SPACE, Span(job.key.id, Colour.GRAY), _SPACE, Span(text))
    )
