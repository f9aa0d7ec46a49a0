"""Changes of a job that a client asks for: cancel, retry, delete."""

import asyncio

from sdrest.errors import ConflictError, NotFoundError, StorageUnavailableError
from sdrest.jobs import inputs
from sdrest.jobs.bus import Change
from sdrest.jobs.context import QueueContext
from sdrest.jobs.dispatcher import Dispatcher
from sdrest.jobs.insert import can_requeue
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.jobs.reconcile import current, image
from sdrest.jobs.retention import free, remove
from sdrest.jobs.space import may_be_full
from sdrest.jobs.submission import Submission, Submissions
from sdrest.params import PARAMS_BY_TYPE


class Changes:
    """Cancels, retries and deletes jobs; see the methods of `JobService`."""

    def __init__(
        self, context: QueueContext, dispatcher: Dispatcher, submissions: Submissions
    ) -> None:
        self._context = context
        self._dispatcher = dispatcher
        self._submissions = submissions

    async def cancel(self, key: JobKey) -> Snapshot:
        """End a job that waits or runs."""
        while True:
            await self._dispatcher.cancel(key)
            job = await self._cancel_row(key, Status.QUEUED)
            async with self._dispatcher.claiming:
                if job is None and not self._dispatcher.runs(key):
                    job = await self._cancel_row(key, Status.IN_PROGRESS)  # left by a bug
            if job is not None:
                self._context.publish(Change.FINISHED, job)
                self._context.work.set()  # jobs behind a suspect may start
                return self._context.snapshot(job)
            snapshot = await current(self._context, key)
            if snapshot.job.status.final:
                return snapshot
            # It was claimed or requeued in between.

    async def retry(self, key: JobKey) -> Job:
        """Requeue a job that FAILED or was CANCELLED."""
        self._submissions.require_open()
        async with self._context.locks.hold(key):
            job = (await current(self._context, key)).job
            if not can_requeue(job.status):
                raise ConflictError(
                    f"The job is {job.status}; only one that FAILED or was CANCELLED runs again."
                )
            folder = self._context.folders.inputs(key)
            names = inputs.names(job)
            if not all((folder / f"{name}.png").is_file() for name in names):
                raise ConflictError("The job's pictures are gone. Send its request again.")
            params = PARAMS_BY_TYPE[key.type].model_validate(job.params)
            return (
                await self._submissions.add(Submission(key, params, job.seed, uploads=names))
            ).job

    async def mark_favourite(self, key: JobKey, number: int, *, is_favourite: bool) -> None:
        """Make an image a favourite, or no longer."""
        await image(self._context, key, number)
        job = await self._context.store.mark_favourite(key, number, is_favourite=is_favourite)
        if job is None:
            raise NotFoundError("The server has no record of this job, only its images.")
        self._context.publish(Change.MARKED, job)

    async def delete(self, key: JobKey) -> None:
        """Cancel a job, then remove its row and its files."""
        deleting = self._context.deleting
        deleting.add(key)
        try:
            await self._delete(key)
        except BaseException:
            deleting.discard(key)
            if (job := self._context.store.remembered(key)) is not None:
                self._context.publish(Change.DELETE_FAILED, job)
            raise
        deleting.discard(key)

    async def _delete(self, key: JobKey) -> None:
        try:
            await self._remove(key)
        except StorageUnavailableError as error:
            if not may_be_full(error):
                raise
            async with self._context.locks.hold(key):
                await free(self._context, key)  # on a full disk the row needs the files' room
            await self._remove(key)

    async def _remove(self, key: JobKey) -> None:
        await self.cancel(key)
        while not await remove(self._context, key):  # it was requeued in between
            await self.cancel(key)

    async def _cancel_row(self, key: JobKey, status: Status) -> Job | None:
        folders = self._context.folders
        async with self._context.locks.hold(key):
            kept = folders.published(key), folders.inputs(key)
            size = await asyncio.to_thread(inputs.size, *kept)
            return await self._context.store.cancel(key, status, size=size)
