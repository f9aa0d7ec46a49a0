"""Requests that are answered with pictures: they wait until their jobs have ended.

Such a request is one job for each picture. When its last client has disconnected, its jobs are
cancelled. A request that an SDK repeats after a lost connection joins the jobs of the first one.

    group = await waiting.submit(request, picture_requests(params, seed, count, uploads))
    async with waiting.attend(request, group):
        snapshots = await waiting.ended(group)

`waiting.complete(group)` is for answers that need all pictures: it ends at the first failure.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from cachetools import LRUCache

from sdrest.errors import (
    FieldError,
    GoneError,
    InvalidRequestError,
    RequestError,
    StoppingError,
    counted,
)
from sdrest.jobs.model import JobKey, Snapshot, Status
from sdrest.jobs.submission import JobRequest
from sdrest.params import Params
from sdrest.web import keys
from sdrest.web.requests.connections import while_connected

RETRY_COUNT = "X-Stainless-Retry-Count"
"""Header of OpenAI's SDKs: 0 for a request's first try, then 1, 2, …"""

_RETRY_SECONDS = 10.0
"""Seconds in which an SDK tries again after a lost connection; it pauses for 0.5 to 8."""

_REMEMBERED_SECONDS = 300.0
"""Seconds for which a retry finds the jobs of a request that nobody waits for any more."""

_REMEMBERED = 1024

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Group:
    """The jobs of one request, in the order of its pictures, and how many clients wait for them.

    `left_at` is when the last client left, in the event loop's time. `retry_seconds` is how long
    that client may take to come back. `failed` is the job for which the others were cancelled.
    """

    keys: tuple[JobKey, ...]
    retry_seconds: float = 0
    clients: int = 0
    left_at: float = 0
    is_answered: bool = False
    is_abandoned: bool = False
    failed: Snapshot | None = None


def picture_requests(
    params: Params, seed: int, count: int, uploads: Mapping[str, Path] | None = None
) -> list[JobRequest]:
    """Return a request for each of `count` pictures; picture i has the seed `seed` + i.

    So each can be made again alone. `last_seed_problem` says whether the last one is too large.
    """
    seeds = range(seed, seed + count)
    return [JobRequest(params.model_copy(update={"seed": each}), uploads or {}) for each in seeds]


def identify(request: web.Request, fields: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """Return what is equal for a request and its retries.

    `fields` are its JSON values, `digests` those of its files. Not the body: each try of a
    multipart form has another boundary.
    """
    client = request.headers.get(hdrs.AUTHORIZATION)
    text = json.dumps([request.path, client, fields, dict(digests)], sort_keys=True)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Waiting:
    """The requests that wait; with `keep_abandoned` their jobs outlive their clients."""

    def __init__(self, app: web.Application, *, keep_abandoned: bool) -> None:
        self._app = app
        self._keep_abandoned = keep_abandoned
        self._known: LRUCache[str, Group] = LRUCache(_REMEMBERED)
        self._timers: dict[Group, asyncio.TimerHandle] = {}
        self._cancelling: set[asyncio.Task[None]] = set()

    def first_try(self, request: web.Request, identity: str) -> Group | None:
        """Return the jobs of the request that this one repeats; None if it is a first try."""
        group = self._known.get(identity)
        if group is None or request.headers.get(RETRY_COUNT, "0") == "0" or group.is_abandoned:
            return None
        now = asyncio.get_running_loop().time()
        if not group.clients and now - group.left_at > _REMEMBERED_SECONDS:
            return None
        return group

    async def submit(
        self, request: web.Request, wanted: Sequence[JobRequest], *, field: str, identity: str = ""
    ) -> Group:
        """Queue a job for each picture, all or none; raises what `JobService.submit_all` raises.

        `field` is the request's number of pictures: more than even the empty queue takes are an
        `InvalidRequestError`. With an `identity`, retries find the jobs by `first_try`.
        """
        most = self._app[keys.SETTINGS].max_queue
        if len(wanted) > most:
            message = f"This server takes at most {counted(most, 'picture')} at once (--max-queue)."
            raise InvalidRequestError([FieldError(field, message)])
        jobs = await self._app[keys.JOBS].submit_all(wanted)
        group = Group(tuple(job.key for job in jobs))
        if identity and RETRY_COUNT in request.headers:
            group.retry_seconds = _RETRY_SECONDS
            self._known[identity] = group
        return group

    @asynccontextmanager
    async def attend(self, request: web.Request, group: Group) -> AsyncIterator[None]:
        """Count the client as waiting inside the block, and interrupt it when the client leaves.

        Raises `ConnectionResetError` then; without other clients the jobs are cancelled.
        """
        group.clients += 1
        if (timer := self._timers.pop(group, None)) is not None:
            timer.cancel()
        try:
            async with while_connected(request):
                yield
        finally:
            group.clients -= 1
            if not group.clients:
                self._leave(group)

    async def wait(
        self,
        key: JobKey,
        seconds: float | None = None,
        *,
        until: Callable[[Snapshot], bool] = lambda snapshot: snapshot.job.status.final,
    ) -> Snapshot:
        """Wait as `JobService.wait` does; raises `StoppingError` at a stop, too."""
        service = self._app[keys.JOBS]
        snapshot = await service.wait(key, seconds, until=until)
        if service.is_stopping and not snapshot.job.status.final:
            raise StoppingError("The server is stopping. Send the request again later.")
        return snapshot

    async def ended(self, group: Group) -> Sequence[Snapshot]:
        """Return the jobs once all have ended; raises `StoppingError` at a stop, `GoneError`."""
        snapshots = [await self.wait(key) for key in group.keys]
        group.is_answered = True
        return snapshots

    async def complete(self, group: Group) -> Sequence[Snapshot]:
        """Return the jobs once all are COMPLETE, or the first alone that ended otherwise.

        Its siblings are cancelled then. Raises what `ended` raises.
        """
        if group.failed is not None:  # a retry gets the same answer
            return [group.failed]
        tasks = [asyncio.create_task(self.wait(key)) for key in group.keys]
        try:
            for ended in asyncio.as_completed(tasks):
                snapshot = await ended
                if snapshot.job.status is not Status.COMPLETE:
                    group.failed = snapshot
                    await self.fail(group)
                    return [snapshot]
        except GoneError:
            await self.fail(group)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        group.is_answered = True
        return [task.result() for task in tasks]

    async def fail(self, group: Group) -> None:
        """Cancel what is left of a request that is answered with an error."""
        group.is_answered = True
        await self._cancel(group)

    async def close(self) -> None:
        """Cancel the jobs whose clients might have come back; wait until that is done."""
        for group, timer in list(self._timers.items()):
            timer.cancel()
            self._abandon(group)
        if self._cancelling:
            await asyncio.wait(self._cancelling)

    def _leave(self, group: Group) -> None:
        loop = asyncio.get_running_loop()
        group.left_at = loop.time()
        if group.is_answered or self._keep_abandoned:
            return
        if group.retry_seconds and not self._app[keys.JOBS].is_stopping:
            self._timers[group] = loop.call_later(group.retry_seconds, self._abandon, group)
        else:
            self._abandon(group)

    def _abandon(self, group: Group) -> None:
        self._timers.pop(group, None)
        group.is_abandoned = True
        task = asyncio.create_task(self._cancel(group))
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)

    async def _cancel(self, group: Group) -> None:
        for key in reversed(group.keys):  # so that the end of one does not start the next
            try:
                await self._app[keys.JOBS].cancel(key)
            except RequestError as error:
                _log.warning("Job %s, which nobody waits for: %s", key.id, error)


WAITING = web.AppKey("waiting", Waiting)
