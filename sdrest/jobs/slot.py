"""A place where jobs run, one after the other. Nothing that a job does ends a slot."""

import asyncio
import logging

from sdrest.jobs import inputs
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Job
from sdrest.jobs.run import End, Outcome, Run
from sdrest.jobs.runtime import BEGINNING, Runtime, Stopped

_log = logging.getLogger(__name__)


class Slot:
    """Claims jobs, runs them and writes down how they ended."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: asyncio.Task[Outcome] | None = None

    async def serve(self) -> None:
        """Run jobs until the slots are stopping."""
        runtime = self._runtime
        while not runtime.stopping.is_set():
            runtime.work.clear()
            try:
                job = await runtime.insist(runtime.store.claim)
                if job is None:
                    await runtime.work.wait()
                else:
                    runtime.work.set()  # there may be more: let the other slots look
                    await self._perform(job)
            except Stopped:
                return  # the next start finds the job interrupted
            except Exception:  # noqa: BLE001 (a bug; the other jobs go on)
                _log.exception("A slot stumbled")
                await runtime.pause()

    def interrupt(self) -> None:
        """End the script that runs, if any; its job goes back to the queue."""
        if self._running is not None:
            self._running.cancel()

    async def _perform(self, job: Job) -> None:
        runtime = self._runtime
        runtime.positions[job.key] = BEGINNING
        runtime.tell(Change.STARTED, job)
        self._running = asyncio.create_task(Run(runtime, job).outcome())
        if runtime.stopping.is_set():
            self._running.cancel()
        try:
            await asyncio.wait([self._running])
            interrupted = self._running.cancelled()
            await self._conclude(job, End.INTERRUPTED if interrupted else self._running.result())
        finally:
            self._running = None
            runtime.positions.pop(job.key, None)

    async def _conclude(self, job: Job, outcome: Outcome) -> None:
        """Write down how a run ended, clean up behind it, then tell."""
        runtime, key = self._runtime, job.key
        async with runtime.locks.hold(key):
            ended = await runtime.insist(lambda: self._write(job, outcome))
            await asyncio.to_thread(inputs.remove, runtime.folders.workdir(key, job.attempts))
            if ended is None or ended.status.final:
                await asyncio.to_thread(inputs.remove, runtime.folders.inputs(key))
        if ended is not None:
            runtime.pace.observe(ended)
            runtime.tell(Change.REQUEUED if outcome is End.INTERRUPTED else Change.FINISHED, ended)

    async def _write(self, job: Job, outcome: Outcome) -> Job | None:
        store = self._runtime.store
        match outcome:
            case End.COMPLETE:
                return await store.complete(job.key)
            case End.INTERRUPTED:
                return await store.release(job.key)
            case failure:
                return await store.fail(job.key, failure)
