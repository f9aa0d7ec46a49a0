"""A place where jobs run, one after the other. Nothing that a job does ends a slot."""

import asyncio
import logging
from contextlib import suppress

from sdrest.errors import StorageUnavailableError
from sdrest.jobs import inputs
from sdrest.jobs.bus import Change
from sdrest.jobs.context import BEGINNING, RETRY_SECONDS, QueueContext, Stopped
from sdrest.jobs.model import Job, JobKey, Status
from sdrest.jobs.recovery import SUSPECT_ATTEMPTS, is_suspect
from sdrest.jobs.run import JobRun, Outcome, RunOutcome
from sdrest.jobs.space import require_job_room

_log = logging.getLogger(__name__)


class Slot:
    """Claims jobs, runs them and writes down how they ended."""

    def __init__(self, context: QueueContext) -> None:
        self._context = context
        self._running: asyncio.Task[Outcome] | None = None
        self._job: JobKey | None = None
        self._done = asyncio.Event()
        self._answered = asyncio.Event()
        self._unwritten: StorageUnavailableError | None = None
        self._unwanted = False

    async def serve(self) -> None:
        """Run jobs until the slots are stopping."""
        context = self._context
        while not context.stopping.is_set():
            context.work.clear()
            try:
                job = await context.retry_until_stored(self._claim)
                if job is None:
                    await context.work.wait()
                else:
                    context.work.set()  # there may be more: let the other slots look
                    await self._perform(job)
            except Stopped:
                return  # the next start finds the job interrupted
            except Exception:  # noqa: BLE001 (a bug; the other jobs go on)
                _log.exception("A slot stumbled")
                await context.pause()

    def interrupt(self) -> None:
        """End the script that runs, if any; its job goes back to the queue."""
        if self._running is not None:
            self._running.cancel()

    def has(self, key: JobKey) -> bool:
        """Whether a job runs here."""
        return self._job == key

    async def cancel(self, key: JobKey) -> None:
        """End a job's run, if it is here; returns when nothing of the run is left.

        Raises `StorageUnavailableError` where the run has ended, but its status cannot be written.
        """
        if self.has(key):
            self._unwanted = True
            self.interrupt()
            done = self._done
            await self._answered.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * RETRY_SECONDS):
                    await done.wait()
                    return
            if self._unwritten is not None and self.has(key):
                raise self._unwritten

    async def _claim(self) -> Job | None:
        """Claim the next job. A suspect waits until nothing runs, and nothing starts beside it."""
        context = self._context
        async with context.claims:
            if context.stops_expected or any(map(is_suspect, context.running.values())):
                return None
            if context.store.has_waiting:
                await asyncio.to_thread(context.store.reserve.restore)
                await asyncio.to_thread(require_job_room, context.folders.private)
            most = SUSPECT_ATTEMPTS - 1 if context.running else None
            job = await context.store.claim(most_attempts=most)
            if job is not None:
                self._job, self._unwanted, self._unwritten = job.key, False, None
                self._done, self._answered = asyncio.Event(), asyncio.Event()
                context.running[job.key] = job
            return job

    async def _perform(self, job: Job) -> None:
        context = self._context
        try:
            context.progress[job.key] = BEGINNING
            context.publish(Change.STARTED, job)
            run = JobRun(context, job)
            self._running = asyncio.create_task(run.outcome())
            if context.stopping.is_set() or self._unwanted:
                self._running.cancel()
            await asyncio.wait([self._running])
            await self._conclude(job, self._outcome(self._running), run)
        finally:
            self._running = self._job = None
            context.running.pop(job.key, None)
            context.progress.pop(job.key, None)
            self._done.set()
            self._answered.set()

    def _outcome(self, run: "asyncio.Task[Outcome]") -> Outcome:
        """Return how a run ended; one that was cancelled too late has ended by itself."""
        if not run.cancelled():
            return run.result()
        return RunOutcome.CANCELLED if self._unwanted else RunOutcome.INTERRUPTED

    async def _conclude(self, job: Job, outcome: Outcome, run: JobRun) -> None:
        """Clean up behind a run and write down how it ended, then tell."""
        context = self._context
        workdir = context.folders.workdir(job.key, job.attempts)
        await asyncio.to_thread(inputs.remove, workdir)
        kept = [context.folders.published(job.key)]
        if outcome is not RunOutcome.COMPLETE:
            kept.append(context.folders.inputs(job.key))
        size = await asyncio.to_thread(inputs.size, *kept)
        ended = await context.retry_until_stored(
            lambda: self._settle(job, outcome, size, run.peak_rss), job
        )
        if ended is not None:
            if outcome is not RunOutcome.CANCELLED:
                context.duration.observe(ended)
            change = Change.FINISHED if ended.status.final else Change.REQUEUED
            context.publish(change, ended, warm=run.warm)

    async def _settle(
        self, job: Job, outcome: Outcome, size: int, peak_rss: int | None
    ) -> Job | None:
        """Try once to write how a run ended; the job's lock is held for no longer than that."""
        context, key = self._context, job.key
        async with context.locks.hold(key):
            try:
                ended = await self._write(key, outcome, size, peak_rss)
            except StorageUnavailableError as error:
                self._unwritten = error
                self._answered.set()
                raise
            if ended is None or ended.status is Status.COMPLETE:
                await asyncio.to_thread(inputs.remove, context.folders.inputs(key))
            return ended

    async def _write(
        self, key: JobKey, outcome: Outcome, size: int, peak_rss: int | None
    ) -> Job | None:
        store = self._context.store
        match outcome:
            case RunOutcome.COMPLETE:
                return await store.complete(key, size=size, peak_rss=peak_rss)
            case RunOutcome.CANCELLED:
                return await store.cancel(key, Status.IN_PROGRESS, size=size, peak_rss=peak_rss)
            case RunOutcome.INTERRUPTED:
                return await store.release(key)
            case failure:
                return await store.fail(key, failure, size=size, peak_rss=peak_rss)
