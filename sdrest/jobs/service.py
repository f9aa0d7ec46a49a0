"""The single door to jobs: submit, get, wait, images, preview, cancel, retry, delete, page, events.

job = await service.submit(params, {"image": path}, key=JobKey(params.type, uuid4().hex))
await service.wait(job.key, 60)
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sdrest.checkpoints.catalog import Catalog
from sdrest.engine.base import Executor
from sdrest.errors import FieldError, StorageUnavailableError
from sdrest.job_types import JobType
from sdrest.jobs.bus import Bus
from sdrest.jobs.changes import Changes
from sdrest.jobs.context import QueueContext, Stopped
from sdrest.jobs.dispatcher import Dispatcher
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.jobs.previews import JobPreview
from sdrest.jobs.queries import Page
from sdrest.jobs.reconcile import current, image, reconcile_page
from sdrest.jobs.recovery import recover
from sdrest.jobs.retention import Retention
from sdrest.jobs.spool import Spool
from sdrest.jobs.store import Store
from sdrest.jobs.submission import JobRequest, Redraw, Submission, Submissions, require_uploads
from sdrest.jobs.waits import Waits
from sdrest.jobs.webhooks import Webhook
from sdrest.params import Params

MAX_DECODERS = 2
"""Pictures that are decoded at once; an open one of 16 million pixels takes 48 MB."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class JobService:
    """Jobs in the order in which they came; as many run at once as `executor` has capacity for.

    The caller opens `store` and closes it, and `executor`, after `stop`. `events` is the bus of all
    changes, `deliveries` has the messages for webhooks. `models` are the checkpoints that jobs may
    name. See `QueueContext`, `Submissions` and `Retention` for the other options.
    """

    def __init__(
        self,
        *,
        store: Store,
        executor: Executor,
        folders: Folders,
        bus: Bus,
        max_waiting: int,
        max_pixels: int,
        models: Catalog | None = None,
        decoders: asyncio.Semaphore | None = None,
        job_timeout: float = 0,
        stall_timeout: float = 0,
        metadata: bool = False,
        previews: bool = False,
        suspects: bool = True,
        keep_days: float = 0,
        keep_bytes: int = 0,
    ) -> None:
        self.events = bus
        self.deliveries = store.deliveries
        self._store = store
        self._folders = folders
        self._context = QueueContext(
            store, executor, folders, bus, job_timeout, stall_timeout, metadata, previews, suspects
        )
        self._submissions = Submissions(
            self._context,
            max_waiting=max_waiting,
            max_pixels=max_pixels,
            models=models,
            decoders=decoders or asyncio.Semaphore(MAX_DECODERS),
        )
        self._retention = Retention(self._context, keep_days=keep_days, keep_bytes=keep_bytes)
        self._dispatcher = Dispatcher(self._context)
        self._changes = Changes(self._context, self._dispatcher, self._submissions)
        self._serving: list[asyncio.Task[None]] = []
        self._changing: set[asyncio.Task[Any]] = set()
        self._waits = Waits(bus)
        self._watching = ExitStack()

    async def start(self, *, delete_incomplete: bool = False) -> None:
        """Recover the jobs of the previous run, then run jobs; later if the disk is full."""
        start = partial(recover, self._context, delete_incomplete=delete_incomplete)

        async def start_later() -> None:
            with suppress(Stopped):
                await self._context.retry_until_stored(start)
                await self._dispatcher.serve()

        try:
            await start()
        except StorageUnavailableError as error:
            _log.warning("The jobs wait until the job table can be written. %s", error)
            serve = start_later
        else:
            serve = self._dispatcher.serve
        self._watching.callback(self._context.executor.watch_capacity(self._context.work.set))
        self._serving = [asyncio.create_task(each()) for each in (serve, self._retention.serve)]

    async def stop(self, *, grace: float = 0) -> None:
        """Start no more jobs, let those that run go on for up to `grace` seconds, then end them.

        Ended jobs are requeued in their old places.
        """
        self._context.stopping.set()
        if self._changing:
            await asyncio.wait(self._changing)
        self._context.work.set()
        if self._serving:
            dispatching, retaining = self._serving
            if grace:
                await asyncio.wait([dispatching], timeout=grace)
            self._dispatcher.interrupt()
            await asyncio.wait([dispatching])
            self._retention.stop()
            await retaining
            self._watching.close()
        self._waits.end()

    def spool(self) -> Spool:
        """Return a context that keeps the uploads of one request until it is left."""
        return Spool(self._folders)

    async def submit(
        self,
        params: Params,
        uploads: Mapping[str, Path] | None = None,
        *,
        key: JobKey,
        seed: int | None = None,
        redraw: Redraw | None = None,
        webhook: Webhook | None = None,
    ) -> Job:
        """Return the job of a request, which is on the disk; a known one is returned as it is.

        `uploads` are the picture files that the job takes, as a client sent them, by name. A job
        that FAILED or was CANCELLED is requeued. `seed` is the one that was drawn for parameters
        without a seed. With `redraw` the request is always a new job: where a job has or had
        `key`, `redraw` returns another key and seed. `webhook` hears of the job.

        Raises `InvalidRequestError` for a wrong picture or model, `QueueFullError`, `StoppingError`
        or `StorageUnavailableError`; then nothing of the request is kept. A caller that goes away
        meanwhile changes nothing.
        """
        uploads = uploads or {}
        require_uploads(params, uploads)
        if redraw is None:
            settled = self._submissions.settled(key)
            known = await self._submissions.known(key) if uploads else settled
            if known is not None:
                return known
        params = await self._submissions.with_model(params)
        submission = Submission(key, params, seed, redraw, tuple(uploads), webhook=webhook)
        if redraw is None and not uploads and not self._context.locks.is_held(key):
            self._submissions.require_open()
            return (await self._submissions.add(submission)).job  # one change of the table
        if uploads:
            submission = replace(submission, folder=await self._submissions.prepare(uploads))
        return await self._finish(self._submissions.submit(submission))

    async def submit_all(self, requests: Sequence[JobRequest]) -> Sequence[Job]:
        """Queue a new job under a random id for each request, all or none; raises as `submit`."""
        return await self._finish(self._submissions.submit_all(requests))

    async def check_pictures(self, uploads: Mapping[str, Path]) -> Sequence[FieldError]:
        """Return what is wrong with uploads, for a request that is wrong elsewhere too."""
        return await self._submissions.check_pictures(uploads)

    def is_settled(self, key: JobKey) -> bool:
        """Whether submitting a job's request changes nothing; False: it has to be submitted."""
        return self._submissions.settled(key) is not None

    async def get(self, key: JobKey) -> Snapshot:
        """Return a job as it is now; a folder of images without a row is a job of the original.

        Raises `GoneError` for a deleted job, `NotFoundError`, `StorageUnavailableError`.
        """
        return await current(self._context, key)

    async def wait(
        self,
        key: JobKey,
        seconds: float | None,
        *,
        until: Callable[[Snapshot], bool] = lambda snapshot: snapshot.job.status.final,
    ) -> Snapshot:
        """Return a job once `until` is true, by default at its end, or after `seconds` as it is.

        None is no limit. Returns early when the service stops. Raises what `get` raises.
        """
        return await self._waits.wait(key, self.get, until, seconds)

    @property
    def is_stopping(self) -> bool:
        """Whether waits have ended before what they wait for."""
        return self._waits.ended

    def end_waits(self) -> None:
        """Let every `wait` return now, and those to come at once."""
        self._waits.end()

    async def page(
        self,
        status: Status | None = None,
        job_type: JobType | None = None,
        *,
        words: Sequence[str] = (),
        favourites: bool = False,
        before: int | None = None,
        limit: int,
    ) -> tuple[Sequence[Snapshot], Page]:
        """Return some jobs, newest first; `before` is the `following` of another page.

        Every one of `words` is in the prompt, in any case; `favourites`: only jobs with one.
        """
        matching = partial(self._store.page, status, job_type, words=words, favourites=favourites)
        return await reconcile_page(self._context, partial(matching, before=before, limit=limit))

    async def counts(self) -> Mapping[tuple[Status, JobType], int]:
        """Return how many jobs there are of each status and type, all of them named."""
        return await self._store.counts()

    async def check_writable(self) -> None:
        """Raise what `submit` would raise of any request now, except for a full queue."""
        await self._submissions.check_writable()

    async def image(self, key: JobKey, number: int) -> Path:
        """Return the path of image `number` of a job; every listed image is there.

        Raises `NotFoundError`, also where a symbolic link is in its place, and what `get` raises.
        """
        return await image(self._context, key, number)

    async def images(self, key: JobKey) -> Sequence[Path]:
        """Return the paths of all listed images of a job; raises what `image` raises."""
        job = (await self.get(key)).job
        return [await self.image(key, number) for number in range(1, job.images + 1)]

    def preview(self, key: JobKey) -> JobPreview | None:
        """Return what the image that a running job makes looks like so far, if that is known.

        The event PREVIEW says that there is another one; `wait` with `until` waits for it.
        """
        return self._context.previews.get(key)

    async def cancel(self, key: JobKey) -> Snapshot:
        """End a job that waits or runs: it is CANCELLED, and nothing of its script is left.

        A job at its end stays as it is. Raises what `get` raises.
        """
        return await self._finish(self._changes.cancel(key))

    async def retry(self, key: JobKey) -> Job:
        """Requeue a FAILED or CANCELLED job with the parameters of its request and its seed.

        Raises `ConflictError` for another job or where its pictures are gone, what `get` raises,
        and what `submit` raises.
        """
        return await self._finish(self._changes.retry(key))

    async def delete(self, key: JobKey) -> None:
        """Remove a job with its pictures and images; one that waits or runs is cancelled before.

        Raises what `get` raises.
        """
        await self._finish(self._changes.delete(key))

    async def mark_favourite(self, key: JobKey, number: int, *, is_favourite: bool) -> None:
        """Make an image a favourite, or no longer; jobs with favourites are kept.

        Raises what `image` raises.
        """
        await self._finish(self._changes.mark_favourite(key, number, is_favourite=is_favourite))

    async def _finish(self, change: Coroutine[Any, Any, T]) -> T:
        """Make a change to its end even if its caller goes away; a stop waits for it."""
        task = asyncio.create_task(change)
        self._changing.add(task)
        task.add_done_callback(self._changing.discard)
        return await asyncio.shield(task)
