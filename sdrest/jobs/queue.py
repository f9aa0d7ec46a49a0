"""The queue: takes jobs, runs them in its slots, tells where they stand.

async with Store(folders) as store:
    queue = Queue(store=store, executor=executor, folders=folders, bus=bus, concurrency=1,
                  max_waiting=1000)
    await queue.start()
    ...
    await queue.stop()
await executor.close()
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sdrest.engine.base import Executor
from sdrest.errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    StoppingError,
    StorageUnavailableError,
)
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Bus, Change
from sdrest.jobs.context import QueueContext, Stopped
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted, NewJob, can_requeue
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.jobs.reconcile import lacks_images, lost_images, reconcile
from sdrest.jobs.recovery import recover
from sdrest.jobs.removal import Retention, free, remove
from sdrest.jobs.slot import Slot
from sdrest.jobs.space import may_be_full, require_job_room, storage_error
from sdrest.jobs.store import Page, Store
from sdrest.params import PARAMS_BY_TYPE, JobType, Params, draw_seed

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Submission:
    """A request. `inputs` is a folder in the spool with `image.png` and, to inpaint, `mask.png`.

    The queue owns that folder from then on, whatever `submit` answers.

    `seed` is the random seed that was drawn for parameters without one. With `redraw` the request
    is always a new job: where a job has or had `key`, `redraw` returns another key and seed.
    """

    key: JobKey
    params: Params
    inputs: Path | None = None
    seed: int | None = None
    redraw: Callable[[], tuple[JobKey, int]] | None = None


class Queue:
    """Jobs in the order in which they came, `concurrency` of them running at once.

    `store` is open already; the caller closes it, and `executor`, after `stop`. The timeouts are
    in seconds, 0 for no limit: of a whole run, and of a script that writes nothing. With `metadata`
    images say how they were made (`sdrest.metadata`). `keep_days`
    and `keep_bytes` are those of `Retention`.
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
        job_timeout: float = 0,
        stall_timeout: float = 0,
        metadata: bool = False,
        keep_days: float = 0,
        keep_bytes: int = 0,
    ) -> None:
        self._store = store
        self._folders = folders
        self._max_waiting = max_waiting
        self._context = QueueContext(
            store, executor, folders, bus, job_timeout, stall_timeout, metadata
        )
        self._retention = Retention(self._context, keep_days=keep_days, keep_bytes=keep_bytes)
        self._slots = [Slot(self._context) for _ in range(concurrency)]
        self._serving: list[asyncio.Task[None]] = []
        self._retaining: asyncio.Task[None] | None = None
        self._changing: set[asyncio.Task[Any]] = set()

    async def start(self, *, delete_incomplete: bool = False) -> None:
        """Recover what the previous run left, then start the slots; later if the disk is full."""
        work = partial(recover, self._context, delete_incomplete=delete_incomplete)
        try:
            await work()
        except StorageUnavailableError as error:
            _log.warning("The jobs wait until the job table can be written. %s", error)
            self._serving = [asyncio.create_task(self._serve_after(work))]
        else:
            self._serving = [asyncio.create_task(slot.serve()) for slot in self._slots]
        self._retaining = asyncio.create_task(self._retention.serve())

    async def _serve_after(self, work: Callable[[], Awaitable[None]]) -> None:
        with suppress(Stopped):
            await self._context.retry_until_stored(work)
            await asyncio.gather(*(slot.serve() for slot in self._slots))

    async def stop(self, *, grace: float = 0) -> None:
        """Take no more jobs, let those that run go on for up to `grace` seconds, then end them.

        Those that are ended wait again, in their old places.
        """
        self._context.stopping.set()
        if self._changing:
            await asyncio.wait(self._changing)
        self._context.work.set()
        if self._serving and grace:
            await asyncio.wait(self._serving, timeout=grace)
        for slot in self._slots:
            slot.interrupt()
        if self._retaining is not None:
            await asyncio.wait(self._serving)
            self._retention.stop()
            await self._retaining

    async def submit(self, submission: Submission) -> Job:
        """Return the job of a request, which is on the disk; a known one is returned as it is.

        One that FAILED or was CANCELLED waits again. Raises `QueueFullError`, `StoppingError` or
        `StorageUnavailableError`; then nothing of the request is kept. A caller that goes away
        meanwhile changes nothing.
        """
        if submission.inputs is None and submission.redraw is None:
            known = self._settled(submission.key)
            if known is not None:
                return known  # without a task and a transaction: clients ask again and again
            if not self._context.locks.is_held(submission.key):
                self._require_open()
                return (await self._add(submission)).job  # it is one change of the table
        return await self._whole(self._submit(submission))

    def is_settled(self, key: JobKey) -> bool:
        """Whether a job is known to need nothing more for its request; False: one has to look."""
        return self._settled(key) is not None

    async def find(self, key: JobKey) -> Snapshot | None:
        """Return a job as it is now; a folder of images without a row is a job of the original.

        Raises `GoneError` for a job that was deleted, `NotFoundError` for a key whose id is no
        md5, `StorageUnavailableError`.
        """
        job, is_deleted = await self._store.find_or_deleted(key)
        if is_deleted:
            raise GoneError
        if job is None:
            job = results.original(self._folders, key)
        return None if job is None else await reconcile(self._context, job)

    async def page(
        self,
        status: Status | None = None,
        job_type: JobType | None = None,
        *,
        before: int | None = None,
        limit: int,
    ) -> tuple[Sequence[Snapshot], Page]:
        """Return some jobs, newest first; `before` is a former page's `following`."""
        page = await self._store.page(status, job_type, before=before, limit=limit)
        snapshots = await self._snapshots(page.jobs)
        if any(
            seen.job.status != job.status for seen, job in zip(snapshots, page.jobs, strict=True)
        ):
            page = await self._store.page(status, job_type, before=before, limit=limit)
            snapshots = await self._snapshots(page.jobs)
        return snapshots, page

    async def _snapshots(self, jobs: Sequence[Job]) -> Sequence[Snapshot]:
        """Return jobs as their files show them."""
        found = await asyncio.to_thread(
            lambda: [bool(results.missing(self._folders, job)) for job in jobs]
        )
        return [
            await reconcile(self._context, job)
            if is_missing or lost_images(job)
            else self._context.snapshot(job)
            for job, is_missing in zip(jobs, found, strict=True)
        ]

    async def cancel(self, key: JobKey) -> Snapshot:
        """End a job that waits or runs: it is CANCELLED, and nothing of its script is left.

        One that is at its end stays as it is. Raises what `get` raises.
        """
        return await self._whole(self._cancel(key))

    async def retry(self, key: JobKey) -> Job:
        """Let a FAILED or CANCELLED job wait again, with what its request asked for and its seed.

        Raises `ConflictError` for another job or where its pictures are gone, what `get` raises,
        and what `submit` raises.
        """
        return await self._whole(self._retry(key))

    async def delete(self, key: JobKey) -> None:
        """Remove a job with its pictures and images; one that waits or runs is cancelled before.

        Raises what `get` raises.
        """
        await self._whole(self._delete(key))

    async def get(self, key: JobKey) -> Snapshot:
        """Return what `find` returns; raises `NotFoundError` if that is None, and as `find`."""
        snapshot = await self.find(key)
        if snapshot is None:
            raise NotFoundError(f"There is no job {key.url}.")
        return snapshot

    async def check_writable(self) -> None:
        """Raise what `submit` would raise of any request now, but for a queue that is full."""
        if self._context.stopping.is_set():
            raise StoppingError
        await self._store.check_writable()
        try:
            await asyncio.to_thread(self._folders.check_writable)
            await asyncio.to_thread(require_job_room, self._folders.private)
        except OSError as error:
            raise storage_error(error) from error

    async def counts(self) -> Mapping[tuple[Status, JobType], int]:
        """Return how many jobs there are of each status and type, all of them named."""
        return await self._store.counts()

    async def waiting(self) -> int:
        """Return how many jobs wait."""
        return await self._store.count(Status.QUEUED)

    async def image(self, key: JobKey, number: int) -> Path:
        """Return where image `number` of a job lies; every image that is listed is there.

        Raises `NotFoundError`, also where a symbolic link lies in the way; and as `find`.
        """
        job = self._store.remembered(key)
        if job is None or job.images < number:
            snapshot = await self.find(key)
            if snapshot is None or snapshot.job.images < number:
                raise NotFoundError
        try:
            return results.image(self._folders, key, number)
        except NotFoundError:
            with suppress(StorageUnavailableError):
                await self._store.check_writable()  # the table may be gone with the image
                await self.find(key)  # the status follows
            raise NotFoundError(
                "The image is no longer in the output folder. Send the job's request again."
            ) from None

    def _settled(self, key: JobKey) -> Job | None:
        known = None if self._context.stopping.is_set() else self._store.remembered(key)
        if known is None or can_requeue(known.status):
            return None
        return None if lacks_images(self._context, known) else known

    async def _whole(self, change: Coroutine[Any, Any, T]) -> T:
        """Make a change to its end, whether its caller stays or goes; a stop waits for it."""
        task = asyncio.create_task(change)
        self._changing.add(task)
        task.add_done_callback(self._changing.discard)
        return await asyncio.shield(task)

    async def _cancel(self, key: JobKey) -> Snapshot:
        while True:
            for slot in self._slots:
                await slot.cancel(key)
            job = await self._cancel_row(key, Status.QUEUED)
            async with self._context.claims:
                if job is None and not any(slot.has(key) for slot in self._slots):
                    job = await self._cancel_row(key, Status.IN_PROGRESS)  # no slot knows of it
            if job is not None:
                self._context.publish(Change.FINISHED, job)
                self._context.work.set()  # those behind it may have waited for it to run alone
                return self._context.snapshot(job)
            snapshot = await self.get(key)
            if snapshot.job.status.final:
                return snapshot
            # It was claimed, or asked for again, in between.

    async def _cancel_row(self, key: JobKey, status: Status) -> Job | None:
        async with self._context.locks.hold(key):
            folders = self._folders.published(key), self._folders.inputs(key)
            size = await asyncio.to_thread(inputs.size, *folders)
            return await self._store.cancel(key, status, size=size)

    async def _delete(self, key: JobKey) -> None:
        deleting = self._context.deleting
        deleting.add(key)
        try:
            try:
                await self._remove(key)
            except StorageUnavailableError as error:
                if not may_be_full(error):
                    raise
                await self._free(key)
                await self._remove(key)
        except BaseException:
            deleting.discard(key)
            if (job := self._store.remembered(key)) is not None:
                self._context.publish(Change.DELETE_FAILED, job)
            raise
        deleting.discard(key)

    async def _remove(self, key: JobKey) -> None:
        await self._cancel(key)
        while not await remove(self._context, key):  # it was asked for again in between
            await self._cancel(key)

    async def _free(self, key: JobKey) -> None:
        """Remove the files of a job first: on a full disk its row needs their room."""
        async with self._context.locks.hold(key):
            await free(self._context, key)

    async def _retry(self, key: JobKey) -> Job:
        self._require_open()
        async with self._context.locks.hold(key):
            job = (await self.get(key)).job
            if not can_requeue(job.status):
                raise ConflictError(
                    f"The job is {job.status}; only one that FAILED or was CANCELLED runs again."
                )
            folder = self._folders.inputs(key)
            if not all((folder / f"{name}.png").is_file() for name in key.type.uploads):
                raise ConflictError("The job's pictures are gone. Send its request again.")
            params = PARAMS_BY_TYPE[key.type].model_validate(job.params)
            return (await self._add(Submission(key, params, seed=job.seed))).job

    async def _submit(self, submission: Submission) -> Job:
        pictures = submission.inputs
        try:
            self._require_open()
            while True:
                async with self._context.locks.hold(submission.key):
                    if submission.redraw is None or await self._is_unused(submission.key):
                        return (await self._admit(submission)).job
                key, seed = submission.redraw()
                submission = replace(submission, key=key, seed=seed)
        finally:
            if pictures is not None:
                await asyncio.to_thread(inputs.remove, pictures)

    async def _is_unused(self, key: JobKey) -> bool:
        """Whether no job has or had a key."""
        job, is_deleted = await self._store.find_or_deleted(key)
        return job is None and not is_deleted and results.original(self._folders, key) is None

    async def _admit(self, submission: Submission) -> Inserted:
        """Write the row, after the job's pictures have been taken over."""
        if submission.inputs is None:
            return await self._add(submission)
        job = await self._store.find(submission.key)
        if job is not None and lacks_images(self._context, job):
            job = (await reconcile(self._context, job)).job
        if job is not None and not can_requeue(job.status):
            return Inserted(job, fresh=False)
        target = self._folders.inputs(submission.key)
        fresh = False
        try:
            await asyncio.to_thread(self._folders.create_inside)
            await asyncio.to_thread(inputs.adopt, submission.inputs, target)
            added = await self._add(submission)
            fresh = added.fresh
        except OSError as error:
            raise storage_error(error) from error
        finally:
            if not fresh and job is None:
                await asyncio.to_thread(inputs.remove, target)
        return added

    async def _add(self, submission: Submission) -> Inserted:
        """Write the row, again where the job there has lost images."""
        added = await self._write(submission)
        if added.fresh or not lacks_images(self._context, added.job):
            return added
        await reconcile(self._context, added.job)
        return await self._write(submission)

    async def _write(self, submission: Submission) -> Inserted:
        """Write the row. A caller that goes away changes nothing, once this was called."""
        key, params = submission.key, submission.params
        drawn = draw_seed() if submission.seed is None else submission.seed
        addition = NewJob(
            key,
            params.dump(),
            params.total_images,
            seed=drawn if params.seed is None else params.seed,
            limit=self._max_waiting,
            instead=self._originals(submission),
        )
        return await self._store.add(
            addition,
            retry_after=self._context.duration.retry_after(len(self._slots)),
            on_insert=self._publish_queued,
        )

    def _publish_queued(self, job: Job) -> None:
        self._context.publish(Change.QUEUED, job)
        self._context.work.set()

    def _require_open(self) -> None:
        if self._context.stopping.is_set():
            raise StoppingError

    def _originals(self, submission: Submission) -> Job | None:
        """Return the job of the original that answers a request, if there is one."""
        job = results.original(self._folders, submission.key)
        return None if job is None or job.images < submission.params.total_images else job
