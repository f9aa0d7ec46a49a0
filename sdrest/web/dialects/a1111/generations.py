"""The requests of this dialect whose pictures are being made, oldest first."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from sdrest.errors import GoneError, NotFoundError
from sdrest.jobs.model import JobKey, Snapshot, Status
from sdrest.jobs.service import JobService
from sdrest.web.dialects.a1111.mapping import Plan


@dataclass(slots=True)
class Generation:
    """A request with its jobs, one for each picture; the first `done` are known to have ended."""

    plan: Plan
    jobs: Sequence[JobKey]
    done: int = 0

    async def snapshot(self, service: JobService) -> Snapshot | None:
        """Return the first job that has not ended, and count those before it; None: all have."""
        while self.done < len(self.jobs):
            try:
                snapshot = await service.get(self.jobs[self.done])
            except (GoneError, NotFoundError):
                pass
            else:
                if not snapshot.job.status.final:
                    return snapshot
            self.done += 1
        return None

    async def cancel(self, service: JobService, *, batch: bool = False) -> None:
        """Cancel the jobs that have not ended, or those of the current batch alone.

        The last goes first, so that none starts because another has ended.
        """
        size = self.plan.per_batch
        end = (self.done // size + 1) * size if batch else len(self.jobs)
        for key in reversed(self.jobs[self.done : end]):
            try:
                await service.cancel(key)
            except (GoneError, NotFoundError):
                continue


class Generations:
    """All requests that wait for pictures. A client sees the oldest that runs."""

    def __init__(self) -> None:
        self._active: list[Generation] = []

    @asynccontextmanager
    async def hold(self, generation: Generation) -> AsyncIterator[None]:
        """Count a generation among those that are being made."""
        self._active.append(generation)
        try:
            yield
        finally:
            self._active.remove(generation)

    async def current(self, service: JobService) -> tuple[Generation, Snapshot | None] | None:
        """Return the oldest request with a running job, else the oldest; None: nothing is made."""
        waiting: tuple[Generation, Snapshot | None] | None = None
        for generation in tuple(self._active):
            snapshot = await generation.snapshot(service)
            if snapshot is not None and snapshot.job.status is Status.IN_PROGRESS:
                return generation, snapshot
            waiting = waiting or (generation, snapshot)
        return waiting


GENERATIONS = web.AppKey("a1111_generations", Generations)


@dataclass(frozen=True, slots=True)
class GenerationProgress:
    """How far a generation is: its fraction in all, that of its picture, the seconds to go."""

    progress: float
    fraction: float
    remaining: float


def generation_progress(generation: Generation, snapshot: Snapshot | None) -> GenerationProgress:
    """Return how far a generation is, in the web UI's numbers: 0.01 is the beginning, 1 the end."""
    count = len(generation.jobs)
    at = snapshot.progress if snapshot else None
    fraction = at.fraction if at else 0.0
    done = generation.done + fraction
    remaining = 0.0
    if fraction and snapshot and snapshot.job.started_at:
        elapsed = max(0.0, time.time() - snapshot.job.started_at)
        remaining = elapsed / fraction * (count - done)
    return GenerationProgress(min(1.0, 0.01 + done / count), fraction, remaining)
