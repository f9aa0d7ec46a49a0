"""Requests become rows of the job table, each at most one; their pictures move to their places."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdrest import pictures
from sdrest.cancellation import until_done
from sdrest.checkpoints.catalog import Catalog
from sdrest.errors import (
    FieldError,
    GoneError,
    InvalidRequestError,
    NotFoundError,
    StoppingError,
)
from sdrest.jobs import inputs, results
from sdrest.jobs.bus import Change
from sdrest.jobs.context import QueueContext
from sdrest.jobs.insert import Inserted, NewJob, can_requeue
from sdrest.jobs.model import Job, JobKey
from sdrest.jobs.reconcile import current, lacks_images, reconcile
from sdrest.jobs.space import require_job_room, storage_error
from sdrest.jobs.webhooks import Webhook
from sdrest.parameter_values import draw_seed
from sdrest.params import Params

Redraw = Callable[[], tuple[JobKey, int]]
"""Returns another key, and the random seed that belongs to it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request for a job with the pictures `uploads`; `folder` has the new ones, prepared."""

    key: JobKey
    params: Params
    seed: int | None = None
    redraw: Redraw | None = None
    uploads: Collection[str] = ()
    folder: Path | None = None
    webhook: Webhook | None = None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job to be made: its parameters, and the picture files as a client sent them, by name."""

    params: Params
    uploads: Mapping[str, Path] = field(default_factory=dict)


def random_key(params: Params) -> JobKey:
    """Return a key that no job has or had."""
    return JobKey(params.type, secrets.token_hex(16))


class Submissions:
    """Adds jobs to the queue, in which at most `max_waiting` wait.

    Uploads have at most `max_pixels`; `decoders` bounds how many are decoded at once.
    """

    def __init__(
        self,
        context: QueueContext,
        *,
        max_waiting: int,
        max_pixels: int,
        decoders: asyncio.Semaphore,
        models: Catalog | None = None,
    ) -> None:
        self._context = context
        self._models = models
        self._max_waiting = max_waiting
        self._max_pixels = max_pixels
        self._decoders = decoders

    async def submit_all(self, requests: Sequence[JobRequest]) -> Sequence[Job]:
        """Queue a new job for each request, all or none; see `JobService.submit_all`."""
        self.require_open()
        context = self._context
        prepared: list[Path | None] = []
        targets: list[Path] = []
        jobs: Sequence[Job] = ()
        try:
            await self._prepare_all(requests, prepared)
            additions = []
            for request, folder in zip(requests, prepared, strict=True):
                params = await self.with_model(request.params)
                submission = Submission(random_key(params), params, uploads=tuple(request.uploads))
                additions.append(self._addition(submission))
                if folder is not None:
                    await asyncio.to_thread(context.folders.create_inside)
                    targets.append(context.folders.inputs(submission.key))
                    await asyncio.to_thread(inputs.adopt, folder, targets[-1])
            jobs = await context.store.add_all(
                additions,
                retry_after=context.duration.retry_after(context.capacity),
                on_insert=self._publish_queued,
            )
        except OSError as error:
            raise storage_error(error) from error
        finally:
            for folder in [*filter(None, prepared), *(() if jobs else targets)]:
                await asyncio.to_thread(inputs.remove, folder)
        return jobs

    async def _prepare_all(
        self, requests: Sequence[JobRequest], prepared: list[Path | None]
    ) -> None:
        """Append a folder of pictures for each request; equal uploads are decoded once."""
        for number, request in enumerate(requests):
            require_uploads(request.params, request.uploads)
            same = next((n for n in range(number) if requests[n].uploads == request.uploads), None)
            if not request.uploads:
                prepared.append(None)
            elif same is None or (source := prepared[same]) is None:
                prepared.append(await self.prepare(request.uploads))
            else:
                folder = await asyncio.to_thread(self._context.folders.spool_folder)
                prepared.append(folder)
                await asyncio.to_thread(inputs.lend, source.iterdir(), folder)

    def require_open(self) -> None:
        """Raise `StoppingError` at a stop."""
        if self._context.stopping.is_set():
            raise StoppingError

    async def check_writable(self) -> None:
        """Raise what any request would raise now, except for a full queue."""
        self.require_open()
        await self._context.store.check_writable()
        folders = self._context.folders
        try:
            await asyncio.to_thread(folders.check_writable)
            await asyncio.to_thread(require_job_room, folders.private)
        except OSError as error:
            raise storage_error(error) from error

    def settled(self, key: JobKey) -> Job | None:
        """Return a job in memory that its request would not change; None: it has to be looked up.

        Takes microseconds: clients send the same request again and again.
        """
        known = None if self._context.stopping.is_set() else self._context.store.remembered(key)
        if known is None or can_requeue(known.status):
            return None
        return None if lacks_images(self._context, known) else known

    async def known(self, key: JobKey) -> Job | None:
        """Return a job that its request would not change, whose pictures need no decoding."""
        try:
            job = (await current(self._context, key)).job
        except (GoneError, NotFoundError):
            return None
        return None if can_requeue(job.status) else job

    async def with_model(self, params: Params) -> Params:
        """Return parameters with the file of the checkpoint that they name, if they name one.

        Raises `InvalidRequestError` where no job of this type can use it.
        """
        if not params.model or self._models is None:
            return params
        return await asyncio.to_thread(self._models.resolve, params)

    async def prepare(self, uploads: Mapping[str, Path]) -> Path:
        """Decode uploads into a new folder of the spool and return it.

        Raises `InvalidRequestError` for wrong pictures, `StorageUnavailableError`.
        """
        try:
            folder = await asyncio.to_thread(self._context.folders.spool_folder)
        except OSError as error:
            raise storage_error(error) from error
        try:
            async with self._decoders:
                work = asyncio.to_thread(self._decode, uploads, folder)
                await until_done(asyncio.create_task(work))
        except BaseException as error:
            await asyncio.shield(asyncio.to_thread(inputs.remove, folder))
            if isinstance(error, OSError):
                raise storage_error(error) from error
            raise
        return folder

    async def check_pictures(self, uploads: Mapping[str, Path]) -> Sequence[FieldError]:
        """Return what is wrong with uploads."""
        try:
            folder = await self.prepare(uploads)
        except InvalidRequestError as error:
            return error.fields
        await asyncio.to_thread(inputs.remove, folder)
        return ()

    def _decode(self, uploads: Mapping[str, Path], folder: Path) -> None:
        for path in uploads.values():
            path.stat()  # one that is gone from the spool is not a damaged picture
        pictures.prepare(uploads, folder, max_pixels=self._max_pixels)

    async def submit(self, submission: Submission) -> Job:
        """Return the job of a request, and remove what it leaves of its pictures' folder."""
        try:
            self.require_open()
            while True:
                async with self._context.locks.hold(submission.key):
                    if submission.redraw is None or await self._is_unused(submission.key):
                        return await self._admit(submission)
                key, seed = submission.redraw()
                submission = replace(submission, key=key, seed=seed)
        finally:
            if submission.folder is not None:
                await asyncio.to_thread(inputs.remove, submission.folder)

    async def add(self, submission: Submission) -> Inserted:
        """Write the row of a job whose pictures are in their place; requeue one that lost images.

        A caller that goes away changes nothing.
        """
        added = await self._write(submission)
        if added.fresh or not lacks_images(self._context, added.job):
            return added
        await reconcile(self._context, added.job)
        return await self._write(submission)

    async def _is_unused(self, key: JobKey) -> bool:
        """Whether no job has or had a key."""
        context = self._context
        job, is_deleted = await context.store.find_or_deleted(key)
        return job is None and not is_deleted and results.original(context.folders, key) is None

    async def _admit(self, submission: Submission) -> Job:
        """Move a job's pictures to their place, then write its row."""
        if submission.folder is None:
            return (await self.add(submission)).job
        context, key = self._context, submission.key
        job = await context.store.find(key)
        if job is not None and lacks_images(context, job):
            job = (await reconcile(context, job)).job
        if job is not None and not can_requeue(job.status):
            return job
        target = context.folders.inputs(key)
        fresh = False
        try:
            await asyncio.to_thread(context.folders.create_inside)
            await asyncio.to_thread(inputs.adopt, submission.folder, target)
            added = await self.add(submission)
            fresh = added.fresh
        except OSError as error:
            raise storage_error(error) from error
        finally:
            if not fresh and job is None:
                await asyncio.to_thread(inputs.remove, target)
        return added.job

    async def _write(self, submission: Submission) -> Inserted:
        context = self._context
        original = results.original(context.folders, submission.key)
        if original is not None and original.images < submission.params.total_images:
            original = None  # it does not answer the request
        return await context.store.add(
            self._addition(submission, original),
            retry_after=context.duration.retry_after(context.capacity),
            on_insert=self._publish_queued,
        )

    def _addition(self, submission: Submission, original: Job | None = None) -> NewJob:
        params = submission.params
        drawn = draw_seed() if submission.seed is None else submission.seed
        optional = [n for n in params.type.optional_uploads if n in submission.uploads]
        return NewJob(
            submission.key,
            params.dump() | dict.fromkeys(optional, True),  # `inputs.names` reads them
            params.total_images,
            seed=drawn if params.seed is None else params.seed,
            limit=self._max_waiting,
            instead=original,
            webhook=submission.webhook.dump() if submission.webhook else None,
        )

    def _publish_queued(self, job: Job) -> None:
        self._context.publish(Change.QUEUED, job)
        self._context.work.set()


def require_uploads(params: Params, uploads: Mapping[str, Path]) -> None:
    """Raise `InvalidRequestError` for a picture that is missing or that the job does not take."""
    required, known = params.type.uploads, params.type.all_uploads
    missing = [FieldError(name, "Is required.") for name in required if name not in uploads]
    others = [FieldError(name, "Is not a picture here.") for name in uploads if name not in known]
    if missing or others:
        raise InvalidRequestError([*missing, *others])
