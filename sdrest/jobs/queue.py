"""The queue: takes jobs, runs them in its slots, tells where they stand.

async with Store(folders) as store:
    queue = Queue(store=store, executor=executor, folders=folders, bus=bus, concurrency=1,
                  max_waiting=1000, job_timeout=0)
    await queue.start()
    ...
    await queue.stop()
await executor.close()
"""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

from sdrest.engine.base import Executor
from sdrest.errors import StoppingError, StorageUnavailableError
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Bus, Change
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.jobs.recovery import recover
from sdrest.jobs.runtime import Runtime
from sdrest.jobs.slot import Slot
from sdrest.jobs.store import Added, Store, may_be_asked_again
from sdrest.params import Params


@dataclass(frozen=True, slots=True)
class Submission:
    """A request. `inputs` is a folder in the spool with `image.png` and, to inpaint, `mask.png`.

    The queue owns that folder from then on, whatever `submit` answers.
    """

    key: JobKey
    params: Params
    inputs: Path | None = None


class Queue:
    """Jobs in the order in which they came, `concurrency` of them running at once.

    `store` is open already; the caller closes it, and `executor`, after `stop`. `job_timeout` is
    in seconds, 0 for no limit.
    """

    def __init__(
        self,
        *,
        store: Store,
        executor: Executor,
        folders: Folders,
        bus: Bus,
        concurrency: int,
        max_waiting: int,
        job_timeout: float,
    ) -> None:
        self._store = store
        self._folders = folders
        self._max_waiting = max_waiting
        self._runtime = Runtime(store, executor, folders, bus, job_timeout)
        self._slots = [Slot(self._runtime) for _ in range(concurrency)]
        self._serving: list[asyncio.Task[None]] = []
        self._submitting: set[asyncio.Task[Job]] = set()

    async def start(self, *, delete_incomplete: bool = False) -> None:
        """Recover what a former life left, then start the slots."""
        await recover(self._runtime, delete_incomplete=delete_incomplete)
        self._serving = [asyncio.create_task(slot.serve()) for slot in self._slots]

    async def stop(self) -> None:
        """Take no more jobs, end the scripts that run and put their jobs back in their places."""
        self._runtime.stopping.set()
        if self._submitting:
            await asyncio.wait(self._submitting)
        self._runtime.work.set()
        for slot in self._slots:
            slot.interrupt()
        if self._serving:
            await asyncio.wait(self._serving)

    async def submit(self, submission: Submission) -> Job:
        """Return the job of a request, which is on the disk; a known one is returned as it is.

        One that FAILED or was CANCELLED waits again. Raises `QueueFullError`, `StoppingError` or
        `StorageUnavailableError`; then nothing of the request is kept. A caller that goes away
        meanwhile changes nothing.
        """
        if submission.inputs is None and not self._runtime.stopping.is_set():
            known = self._store.remembered(submission.key)
            if known is not None and not may_be_asked_again(known.status):
                return known  # without a task and a transaction: clients ask again and again
        task = asyncio.create_task(self._submit(submission))
        self._submitting.add(task)
        task.add_done_callback(self._submitting.discard)
        return await asyncio.shield(task)

    async def find(self, key: JobKey) -> Snapshot | None:
        """Return a job as it is now; a folder of images without a row is a job of the original.

        Raises `NotFoundError` for a key whose id is no md5, `StorageUnavailableError`.
        """
        job = await self._store.find(key)
        if job is None:
            job = results.original(self._folders, key)
        return None if job is None else self._runtime.snapshot(job)

    async def waiting(self) -> int:
        """Return how many jobs wait."""
        return await self._store.count(Status.QUEUED)

    def image_path(self, key: JobKey, number: int) -> Path:
        """Return where image `number` of a job lies; every image that is listed is there.

        Raises `NotFoundError`, also where a symbolic link lies in the way.
        """
        return results.image(self._folders, key, number)

    async def _submit(self, submission: Submission) -> Job:
        pictures = submission.inputs
        try:
            if self._runtime.stopping.is_set():
                raise StoppingError
            async with self._runtime.locks.hold(submission.key):
                added = await self._admit(submission)
        finally:
            if pictures is not None:
                await asyncio.to_thread(inputs.remove, pictures)
        return added.job

    async def _admit(self, submission: Submission) -> Added:
        """Write the row, after the job's pictures have been taken over."""
        if submission.inputs is None:
            return await self._add(submission)
        job = await self._store.find(submission.key)
        if job is not None and not may_be_asked_again(job.status):
            return Added(job, fresh=False)
        target = self._folders.inputs(submission.key)
        fresh = False
        try:
            await asyncio.to_thread(inputs.adopt, submission.inputs, target)
            added = await self._add(submission)
            fresh = added.fresh
        except OSError as error:
            raise StorageUnavailableError from error
        finally:
            if not fresh:
                await asyncio.to_thread(inputs.remove, target)
        return added

    async def _add(self, submission: Submission) -> Added:
        key, params = submission.key, submission.params
        added = await self._store.add(
            key,
            params,
            seed=secrets.randbelow(2**32) if params.seed is None else params.seed,
            limit=self._max_waiting,
            retry_after=self._runtime.pace.retry_after(len(self._slots)),
            instead=self._originals(submission),
        )
        if added.fresh:  # told before anything else happens: a slot may have claimed it already
            self._runtime.tell(Change.QUEUED, added.job)
            self._runtime.work.set()
        return added

    def _originals(self, submission: Submission) -> Job | None:
        """Return the job of the original that answers a request, if there is one."""
        job = results.original(self._folders, submission.key)
        return None if job is None or job.images < submission.params.total_images else job
