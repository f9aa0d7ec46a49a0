"""Claims waiting jobs while the executor has capacity, runs them and records how they end."""

import asyncio
import logging
from dataclasses import dataclass, field

from sdrest.errors import StorageUnavailableError
from sdrest.jobs import inputs
from sdrest.jobs.bus import Change
from sdrest.jobs.context import BEGINNING, RETRY_SECONDS, QueueContext, Stopped
from sdrest.jobs.model import Job, JobKey, Status, need
from sdrest.jobs.recovery import SUSPECT_ATTEMPTS, is_suspect
from sdrest.jobs.run import JobRun, Outcome, RunOutcome
from sdrest.jobs.space import require_job_room

_UNEXPECTED = "Unexpected error in the dispatcher; continuing."

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Running:
    """A claimed job: the task of its script, and the task that lasts until its end is recorded.

    `answered` is set once the end is recorded, or could not be because of `storage_error`.
    """

    job: Job
    run: JobRun
    script: "asyncio.Task[Outcome]"
    end: "asyncio.Task[None]" = field(init=False)
    is_cancelled: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    storage_error: StorageUnavailableError | None = None

    @property
    def outcome(self) -> Outcome:
        """How the script ended; one that was cancelled too late has ended by itself."""
        if not self.script.cancelled():
            return self.script.result()
        return RunOutcome.CANCELLED if self.is_cancelled else RunOutcome.INTERRUPTED


class Dispatcher:
    """Runs the jobs of a queue, at most `context.capacity` at once; no job's bug ends it.

    `claiming` is held from the claim of a row until its job counts as running.
    """

    def __init__(self, context: QueueContext) -> None:
        self._context = context
        self._running: dict[JobKey, _Running] = {}
        self.claiming = asyncio.Lock()

    async def serve(self) -> None:
        """Run jobs until the queue is stopping and no job runs any more."""
        context = self._context
        while not context.stopping.is_set():
            context.work.clear()
            try:
                if not await context.retry_until_stored(self._claim):
                    await context.work.wait()
            except Stopped:
                break
            except Exception:  # noqa: BLE001 (a bug; the other jobs go on)
                _log.exception(_UNEXPECTED)
                await context.pause()
        if ends := [running.end for running in self._running.values()]:
            await asyncio.wait(ends)

    def interrupt(self) -> None:
        """End all scripts; their jobs go back to the queue."""
        for running in self._running.values():
            running.script.cancel()

    async def cancel(self, key: JobKey) -> None:
        """End a job's script, if it runs, and return when nothing of it is left.

        Raises `StorageUnavailableError` where the job's new status cannot be recorded.
        """
        running = self._running.get(key)
        if running is None:
            return
        running.is_cancelled = True
        running.script.cancel()
        await running.answered.wait()
        await asyncio.wait([running.end], timeout=2 * RETRY_SECONDS)
        if running.storage_error is not None and not running.end.done():
            raise running.storage_error

    def runs(self, key: JobKey) -> bool:
        """Whether a job runs; hold `claiming` so that none is about to."""
        return key in self._running

    async def _claim(self) -> bool:
        """Start the next job; return False if none may start now.

        A suspect starts when nothing else runs, and nothing starts beside it.
        """
        context = self._context
        async with self.claiming:
            jobs = [running.job for running in self._running.values()]
            ready = context.executor.ready({job.key.id: need(job) for job in jobs})
            is_full = len(jobs) >= context.capacity if ready is None else not ready
            if context.stops_expected or is_full or any(map(is_suspect, jobs)):
                return False
            if context.store.has_waiting:
                await asyncio.to_thread(context.store.reserve.restore)
                await asyncio.to_thread(require_job_room, context.folders.private)
            job = await context.store.claim(
                ready, most_attempts=SUSPECT_ATTEMPTS - 1 if jobs else None
            )
            if job is not None:
                self._start(job)
            return job is not None

    def _start(self, job: Job) -> None:
        context = self._context
        context.progress[job.key] = BEGINNING
        context.publish(Change.STARTED, job)
        run = JobRun(context, job)
        running = _Running(job, run, asyncio.create_task(run.outcome()))
        if context.stopping.is_set():
            running.script.cancel()
        self._running[job.key] = running
        running.end = asyncio.create_task(self._follow(running))

    async def _follow(self, running: _Running) -> None:
        """Wait for the end of a job's script and record it."""
        try:
            await asyncio.wait([running.script])
            self._context.previews.drop(running.job.key)
            await self._conclude(running)
        except Stopped:
            pass  # the next start finds the job interrupted
        except Exception:  # noqa: BLE001 (a bug; the other jobs go on)
            _log.exception(_UNEXPECTED)
        finally:
            if self._running.get(running.job.key) is running:  # else it was claimed again
                del self._running[running.job.key]
                self._context.progress.pop(running.job.key, None)
            running.answered.set()
            self._context.work.set()

    async def _conclude(self, running: _Running) -> None:
        """Remove the run's files, record how it ended and publish that."""
        context, job, outcome = self._context, running.job, running.outcome
        await asyncio.to_thread(inputs.remove, context.folders.workdir(job.key, job.attempts))
        kept = [context.folders.published(job.key)]
        if outcome is not RunOutcome.COMPLETE:
            kept.append(context.folders.inputs(job.key))
        size = await asyncio.to_thread(inputs.size, *kept)
        ended = await context.retry_until_stored(lambda: self._record(running, size), job)
        if ended is not None:
            if outcome is not RunOutcome.CANCELLED:
                context.duration.observe(ended)
            change = Change.FINISHED if ended.status.final else Change.REQUEUED
            context.publish(change, ended, warm=running.run.warm)

    async def _record(self, running: _Running, size: int) -> Job | None:
        """Try once to record how a run ended; the job's lock is held for no longer than that."""
        context, key = self._context, running.job.key
        async with context.locks.hold(key):
            try:
                ended = await self._write(key, running, size)
            except StorageUnavailableError as error:
                running.storage_error = error
                running.answered.set()
                raise
            if ended is None or ended.status is Status.COMPLETE:
                await asyncio.to_thread(inputs.remove, context.folders.inputs(key))
            return ended

    async def _write(self, key: JobKey, running: _Running, size: int) -> Job | None:
        store, peak_rss = self._context.store, running.run.peak_rss
        match running.outcome:
            case RunOutcome.COMPLETE:
                return await store.complete(key, size=size, peak_rss=peak_rss)
            case RunOutcome.CANCELLED:
                return await store.cancel(key, Status.IN_PROGRESS, size=size, peak_rss=peak_rss)
            case RunOutcome.INTERRUPTED:
                return await store.release(key)
            case failure:
                return await store.fail(key, failure, size=size, peak_rss=peak_rss)
