"""Recovers at a start what the previous run left."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from sdrest.errors import Failure, FailureCode, StorageUnavailableError
from sdrest.job_types import JobType
from sdrest.jobs import inputs
from sdrest.jobs.bus import Change
from sdrest.jobs.context import QueueContext
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, JobKey, Status
from sdrest.jobs.retention import discard
from sdrest.jobs.store import Store

MAX_ATTEMPTS = 3
"""Starts of a job, each ended by a crash of the server, after which it is FAILED."""

SUSPECT_ATTEMPTS = MAX_ATTEMPTS - 1
"""A job that was started so often runs alone, so that another crash proves it to be the cause."""

_log = logging.getLogger(__name__)


def is_suspect(job: Job) -> bool:
    """Whether a running job has to run alone."""
    return job.attempts > SUSPECT_ATTEMPTS


async def recover(context: QueueContext, *, delete_incomplete: bool) -> None:
    """Requeue interrupted jobs or, with `delete_incomplete`, remove every unfinished job."""
    folders = context.folders
    await asyncio.to_thread(_sweep, folders)
    if delete_incomplete:
        await _delete_incomplete(context.store, folders)
    resumed = await context.store.resume(
        max_attempts=MAX_ATTEMPTS if context.suspects else None,
        failure=Failure(
            FailureCode.KILLED,
            f"The server died each of the {MAX_ATTEMPTS} times that it ran this job; the job may "
            "need more memory than there is. Ask for smaller or fewer images.",
        ),
    )
    await _remove_deleted(context.store, folders)
    await _remove_orphans(context.store, folders)
    for job in resumed:
        if job.attempts >= SUSPECT_ATTEMPTS and not job.status.final:
            _log.warning("Job %s ran at %d crashes; it runs alone now.", job.key.id, job.attempts)
        context.publish(Change.FINISHED if job.status.final else Change.REQUEUED, job)


def _sweep(folders: Folders) -> None:
    """Remove uploads and work folders of the previous run."""
    folders.create()
    folders.empty()


async def _delete_incomplete(store: Store, folders: Folders) -> None:
    """Remove jobs in an order that is right wherever it breaks off.

    Every listed image exists. No folder of an unfinished job is left without a row, since that
    would be a COMPLETE job of the original.
    """
    await store.unlist_incomplete()
    last = 0
    while page := await store.incomplete(after=last):
        await asyncio.to_thread(_discard_all, folders, [key for _, key in page])
        last = page[-1][0]
    await store.delete_incomplete()


def _discard_all(folders: Folders, keys: Iterable[JobKey]) -> None:
    for key in keys:
        discard(folders, key)


async def _remove_deleted(store: Store, folders: Folders) -> None:
    """Remove the files of jobs whose deletion broke off behind the row."""
    for key in await store.deleted_with_files():
        try:
            await asyncio.to_thread(discard, folders, key)
        except OSError as error:
            _log.warning("Files of the deleted job %s cannot be removed: %s", key.id, error)
        else:
            with suppress(StorageUnavailableError):  # the next start tries again
                await store.files_removed(key)


async def _remove_orphans(store: Store, folders: Folders) -> None:
    """Remove pictures of jobs that have no row or are COMPLETE."""
    for folder in await asyncio.to_thread(lambda: list(folders.all_inputs.iterdir())):
        job_type, _, job_id = folder.name.rpartition("-")
        job = None
        if job_type in set(JobType):
            job = await store.find(JobKey(JobType(job_type), job_id))
        if job is None or job.status is Status.COMPLETE:
            await asyncio.to_thread(inputs.remove, folder)
