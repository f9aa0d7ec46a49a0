"""What the parts of a queue share: tools, progress, and retries while the disk is full."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sdrest.engine.base import STOP_SECONDS, Executor, Progress
from sdrest.errors import ErrorCode, FailureCode, StorageUnavailableError
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.folders import Folders
from sdrest.jobs.key_locks import KeyLocks
from sdrest.jobs.losses import Losses
from sdrest.jobs.model import Job, JobKey, Snapshot, Status, Waiting, need
from sdrest.jobs.previews import Previews
from sdrest.jobs.results import ImageCheck
from sdrest.jobs.space import DISK_FULL, is_full
from sdrest.jobs.store import Store

BEGINNING = Progress(1, 0.0)

RETRY_SECONDS = 1.0
"""Seconds between two tries to change the table."""

STORAGE_SECONDS = 600.0
"""Seconds that a running job waits for the disk before it is FAILED."""

_CANNOT_WRITE = (
    "The server cannot write to its output folder. See that the folder is there, that the server "
    "may write to it, and that its disk has room."
)

_FIRST_GUESS_SECONDS = 10.0
_WEIGHT = 0.2

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 (no error: the way out of a wait)
    """The queue is stopping."""


class DurationEstimate:
    """The mean duration of jobs, in which the last ones weigh most."""

    def __init__(self) -> None:
        self._seconds = _FIRST_GUESS_SECONDS

    def observe(self, job: Job) -> None:
        """Take account of a job that has ended."""
        if job.started_at is not None and job.finished_at is not None:
            seconds = max(0.0, job.finished_at - job.started_at)
            self._seconds += _WEIGHT * (seconds - self._seconds)

    def retry_after(self, capacity: int) -> int:
        """Return the seconds, 1 to 600, until one of `capacity` running jobs is likely to end."""
        return min(600, max(1, math.ceil(self._seconds / max(1, capacity))))


@dataclass(slots=True)
class QueueContext:
    """The tools and the state that the parts of a queue share.

    The timeouts are in seconds, 0 for no limit: of a whole run, and of a script that writes
    nothing. With `metadata`, images say how they were made; with `with_previews`, tasks ask for
    previews. `progress` is how far each running job is, `deleting` the jobs that are being deleted.
    `work` is set while a job may be claimed. `waits` says why a running job cannot go on, and under
    None why no job is started. While `stops_expected` is not 0, a signal that a stop may have sent
    has ended a script, and no job is claimed.
    """

    store: Store
    executor: Executor
    folders: Folders
    bus: Bus
    job_timeout: float = 0
    stall_timeout: float = 0
    metadata: bool = False
    with_previews: bool = False
    suspects: bool = True
    locks: KeyLocks = field(default_factory=KeyLocks)
    duration: DurationEstimate = field(default_factory=DurationEstimate)
    progress: dict[JobKey, Progress] = field(default_factory=dict)
    previews: Previews = field(default_factory=Previews)
    losses: Losses = field(default_factory=Losses)
    deleting: set[JobKey] = field(default_factory=set)
    waits: dict[JobKey | None, str] = field(default_factory=dict)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    stops_expected: int = 0
    image_check: ImageCheck = field(init=False)

    def __post_init__(self) -> None:
        self.image_check = ImageCheck(self.folders)

    @property
    def capacity(self) -> int:
        """How many jobs may run at once now."""
        return self.executor.capacity

    def publish(self, change: Change, job: Job, *, warm: bool = False) -> None:
        """Publish an event with the job's progress, and without images that are gone."""
        known = self.store.remembered(job.key)
        if known is not None:  # a run's copy of its job lacks later marks
            job = replace(job, favourites=known.favourites)
        deleting = job.key in self.deleting and change is not Change.DELETED
        snapshot = self.snapshot(job)
        if missing := self.image_check.missing(job):
            snapshot = replace(snapshot, missing=missing)
        self.bus.publish(JobEvent(change, snapshot, warm=warm, deleting=deleting))

    def snapshot(self, job: Job) -> Snapshot:
        """Return a job with its progress if it runs, with its queue position if it waits."""
        match job.status:
            case Status.QUEUED:
                return Snapshot(
                    job,
                    queue_position=self.store.queue_position(job),
                    waiting=self._waiting(None) or self._no_worker(job),
                )
            case Status.IN_PROGRESS:
                return Snapshot(
                    job,
                    self.progress.get(job.key, BEGINNING),
                    waiting=self._waiting(job.key),
                    preview=self.previews.number(job.key),
                )
            case _:
                return Snapshot(job)

    def _waiting(self, key: JobKey | None) -> Waiting | None:
        """Return why a job, or the queue, waits for the disk; None if it does not."""
        message = self.waits.get(key)
        return Waiting(ErrorCode.STORAGE_UNAVAILABLE, message) if message else None

    def _no_worker(self, job: Job) -> Waiting | None:
        """Return why no machine can run a job."""
        message = self.executor.waits_for(need(job))
        return Waiting(FailureCode.NO_WORKER, message) if message else None

    async def retry_until_stored(
        self,
        change: Callable[[], Awaitable[T]],
        job: Job | None = None,
        *,
        seconds: float = math.inf,
    ) -> T:
        """Repeat a change until the disk has room for it; raise `Stopped` at a stop.

        Meanwhile the status of `job`, or of all waiting jobs, says what it waits for. Raises
        `StorageUnavailableError` after `seconds`.
        """
        key = None if job is None else job.key
        end = asyncio.get_running_loop().time() + seconds
        try:
            while True:
                try:
                    return await change()
                except StorageUnavailableError as error:
                    if self.stopping.is_set():
                        raise Stopped from None
                    if asyncio.get_running_loop().time() >= end:
                        raise
                    self._wait(key, error)
                await self.pause()
        finally:
            self.waits.pop(key, None)

    def _wait(self, key: JobKey | None, error: StorageUnavailableError) -> None:
        """Say that a job, or the queue, waits for the disk."""
        known = self.waits.get(key)
        self.waits[key] = DISK_FULL if is_full(error) else _CANNOT_WRITE
        if key is not None and known is None and (job := self.store.remembered(key)) is not None:
            self.publish(Change.WAITING, job)

    async def stop_follows(self) -> bool:
        """Wait up to `STOP_SECONDS` for a stop and return whether it came; no job starts then."""
        self.stops_expected += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self.stopping.wait()
        finally:
            self.stops_expected -= 1
            self.work.set()
        return self.stopping.is_set()

    async def pause(self) -> None:
        """Wait until a retry makes sense, or the queue is stopping."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_SECONDS):
                await self.stopping.wait()
