"""Removes jobs with their files: on request, or because they are old or take too much disk."""

import asyncio
import logging
import time
from contextlib import suppress

from sdrest.errors import StorageUnavailableError
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.context import QueueContext
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, JobKey
from sdrest.jobs.space import may_be_full

_DAY = 86_400.0

_LOOK_SECONDS = 60.0
"""Seconds between two searches for jobs that have become too old."""

_log = logging.getLogger(__name__)


async def remove(context: QueueContext, key: JobKey) -> bool:
    """Remove a job that is at its end, or has no row; return False, and do nothing, for another.

    The row is removed before the files, so that every listed image exists. On a full disk the
    files are removed before, which makes room for the change of the row. The next start removes
    files that cannot be removed now. An image that is being sent is sent to its end.
    """
    async with context.locks.hold(key):
        job = await context.store.find(key) or results.original(context.folders, key)
        try:
            deleted = await context.store.delete(key)
        except StorageUnavailableError as error:
            if not may_be_full(error) or (job is not None and not job.status.final):
                raise
            await free(context, key)
            deleted = await context.store.delete(key)
        if not deleted:
            return False
        if job is not None:  # None: another request has deleted it
            context.publish(Change.DELETED, job)
        try:
            await asyncio.to_thread(discard, context.folders, key)
        except OSError as error:
            _log.warning(
                "Files of the deleted job %s remain until the next start: %s", key.id, error
            )
        else:
            with suppress(StorageUnavailableError):  # then the next start looks for them again
                await context.store.files_removed(key)
        await asyncio.to_thread(context.store.reserve.restore)
        return True


async def free(context: QueueContext, key: JobKey) -> None:
    """Remove a job's files, as far as possible, to make room for the change of its row."""
    with suppress(OSError):
        await asyncio.to_thread(discard, context.folders, key)


def discard(folders: Folders, key: JobKey) -> None:
    """Remove a job's images and inputs; raises `OSError`. May block."""
    results.discard(folders, key)
    inputs.remove(folders.inputs(key))


class Retention:
    """Removes the jobs that ended first, as long as there are too many.

    They are kept for `keep_days` days and while all together take no more than `keep_bytes`
    bytes; 0 is no limit.
    """

    def __init__(self, context: QueueContext, *, keep_days: float, keep_bytes: int) -> None:
        self._context = context
        self._keep_seconds = keep_days * _DAY
        self._keep_bytes = keep_bytes
        self._finished = asyncio.Event()
        self._stopped = False

    async def serve(self) -> None:
        """Remove jobs until `stop` is called, and once more then."""
        if not (self._keep_seconds or self._keep_bytes):
            return
        unsubscribe = self._context.bus.subscribe(self._note)
        try:
            while True:
                self._finished.clear()
                is_last = self._stopped  # read first: a job may end meanwhile
                with suppress(StorageUnavailableError):
                    await self._remove_all()
                if is_last:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._finished.wait()
        finally:
            unsubscribe()

    def stop(self) -> None:
        """Let `serve` end; no job runs any more."""
        self._stopped = True
        self._finished.set()

    def _note(self, event: JobEvent) -> None:
        if event.change is Change.FINISHED:
            self._finished.set()

    async def _remove_all(self) -> None:
        store = self._context.store
        excess = await store.finished_bytes() - self._keep_bytes if self._keep_bytes else 0
        while (job := await store.oldest_finished()) and (excess > 0 or self._is_old(job)):
            if await remove(self._context, job.key):
                excess -= job.size

    def _is_old(self, job: Job) -> bool:
        oldest = time.time() - self._keep_seconds
        return bool(self._keep_seconds) and (job.finished_at or 0.0) < oldest
