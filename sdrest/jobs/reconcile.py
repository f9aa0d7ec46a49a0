"""Jobs as their files show them: a user may delete images, or put them back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sdrest.errors import (
    Failure,
    FailureCode,
    GoneError,
    NotFoundError,
    StorageUnavailableError,
)
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Change
from sdrest.jobs.context import QueueContext
from sdrest.jobs.model import FILE_TRANSITIONS, Job, JobKey, Snapshot, Status
from sdrest.jobs.queries import Page

_MISSING = "missingImages"


def lacks_images(context: QueueContext, job: Job) -> bool:
    """Whether a COMPLETE job lost images, so that its request requeues it."""
    return job.status is Status.COMPLETE and bool(context.image_check.missing(job))


def _lost_images(job: Job) -> bool:
    """Whether a job is FAILED because it lost images."""
    return job.failure is not None and _MISSING in job.failure.details


async def current(context: QueueContext, key: JobKey) -> Snapshot:
    """Return a job as it is now; a folder of images without a row is a job of the original.

    Raises `GoneError` for a deleted job, `NotFoundError`, `StorageUnavailableError`.
    """
    job, is_deleted = await context.store.find_or_deleted(key)
    if is_deleted:
        raise GoneError
    if job is None:
        job = results.original(context.folders, key)
    if job is None:
        raise NotFoundError(f"There is no job {key.url}.")
    return await reconcile(context, job)


async def image(context: QueueContext, key: JobKey, number: int) -> Path:
    """Return the path of an image of a job, which exists; see `JobService.image`."""
    job = context.store.remembered(key)
    if job is None or job.images < number:
        job = (await current(context, key)).job
        if job.images < number:
            raise NotFoundError
    try:
        return results.image(context.folders, key, number)
    except NotFoundError:
        with suppress(StorageUnavailableError, NotFoundError):
            await context.store.check_writable()  # the table may be gone with the image
            await current(context, key)  # the status follows
        raise NotFoundError(
            "The image is no longer in the output folder. Send the job's request again."
        ) from None


async def reconcile_page(
    context: QueueContext, load: Callable[[], Awaitable[Page]]
) -> tuple[Sequence[Snapshot], Page]:
    """Return a page of jobs as their files show them; loads it again if that changes a status."""
    page = await load()
    snapshots = await _reconcile_all(context, page.jobs)
    if any(seen.job.status != job.status for seen, job in zip(snapshots, page.jobs, strict=True)):
        page = await load()
        snapshots = await _reconcile_all(context, page.jobs)
    return snapshots, page


async def _reconcile_all(context: QueueContext, jobs: Sequence[Job]) -> Sequence[Snapshot]:
    """Return jobs as their files show them, after one check of all the files."""
    found = await asyncio.to_thread(
        lambda: [bool(results.missing(context.folders, job)) for job in jobs]
    )
    return [
        await reconcile(context, job) if is_missing or _lost_images(job) else context.snapshot(job)
        for job, is_missing in zip(jobs, found, strict=True)
    ]


async def reconcile(context: QueueContext, job: Job) -> Snapshot:
    """Return a job as its files show it: COMPLETE only while all listed images are there.

    A job that lost images is FAILED until it is requeued or all images are back. While the table
    cannot be written, only the answer says so.
    """
    missing = context.image_check.missing(job)
    if not (missing or _lost_images(job)):
        return context.snapshot(job)
    failure = _failure(job, missing) if missing else None
    if not (job.status is Status.COMPLETE or _lost_images(job)) or failure == job.failure:
        return replace(context.snapshot(job), missing=missing)
    target = Status.COMPLETE if failure is None else FILE_TRANSITIONS[Status.COMPLETE]
    try:
        changed = await _write(context, job, target, failure)
    except StorageUnavailableError:
        changed = replace(job, status=target, failure=failure)
    return replace(context.snapshot(changed), missing=missing)


async def _write(context: QueueContext, job: Job, target: Status, failure: Failure | None) -> Job:
    folders = context.folders.published(job.key), context.folders.inputs(job.key)
    size = await asyncio.to_thread(inputs.size, *folders)
    changed = await context.store.follow_files(job, target, failure, size=size)
    if changed is None:  # requeued, deleted, or changed by another request
        return await context.store.find(job.key) or job
    context.publish(Change.FILES_CHANGED, changed)
    return changed


def _failure(job: Job, missing: Sequence[int]) -> Failure:
    return Failure(
        FailureCode.IMAGES_MISSING,
        f"{len(missing)} of the job's {job.images} images are no longer in the output folder. "
        "Send the request again.",
        {_MISSING: list(missing)},
    )
