"""Jobs as Server-Sent Events: `GET /TYPE/ID/events`, and `GET /events` for all of them.

The present state comes first, so whoever comes back has missed nothing that matters. A stream of
one job ends with the job. Why no library: docs/adr/0007-event-streams.md.
"""

from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus

from aiohttp import hdrs, web

from sdrest.jobs.model import Snapshot, Status
from sdrest.params import JobType
from sdrest.web import keys
from sdrest.web.feeds import Listener, Message, ended_at
from sdrest.web.handlers import JOB, JobRoutes

LAST_EVENT_ID = "Last-Event-ID"

_RETRY = b"retry: 1000\n\n"
_PAGE = 1000
_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


def add_to(router: web.UrlDispatcher) -> None:
    """Register the streams."""
    router.add_get("/events", _all)
    for job_type in JobType:
        _JobEvents(JobRoutes(job_type)).add_to(router)


async def close(app: web.Application) -> None:
    """End every stream, so that they do not hold up a stop; for `on_shutdown`."""
    app[keys.FEEDS].close()


class _JobEvents:
    def __init__(self, routes: JobRoutes) -> None:
        self._routes = routes

    def add_to(self, router: web.UrlDispatcher) -> None:
        for prefix in self._routes.prefixes:
            router.add_get(prefix + JOB + "/events{slash:/?}", self.get)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Send what happens to a job until its end.

        A client that has seen the end is answered 204, which keeps it from coming again.
        """
        key, feeds = self._routes.key(request), request.app[keys.FEEDS]
        with feeds.listener(key) as listener:
            snapshot = await request.app[keys.QUEUE].get(key)
            end = ended_at(snapshot.job)
            if end and request.headers.get(LAST_EVENT_ID, "").rpartition("-")[2] == str(end):
                return web.Response(status=HTTPStatus.NO_CONTENT)
            if end:
                listener.end()
            return await _stream(request, listener, [feeds.present(snapshot)])


async def _all(request: web.Request) -> web.StreamResponse:
    """Send what happens to any job; first what was missed, or all jobs that wait or run."""
    feeds = request.app[keys.FEEDS]
    with feeds.listener(None) as listener:
        missed = feeds.missed(request.headers.get(LAST_EVENT_ID, ""))
        if missed is None:
            missed = [feeds.present(snapshot) for snapshot in await _active(request)]
        return await _stream(request, listener, list(missed))


async def _active(request: web.Request) -> Sequence[Snapshot]:
    """Return the jobs that run, and the newest of those that wait."""
    queue = request.app[keys.QUEUE]
    running, _ = await queue.page(Status.IN_PROGRESS, limit=_PAGE)
    waiting, _ = await queue.page(Status.QUEUED, limit=_PAGE)
    return [*running, *waiting]


async def _stream(
    request: web.Request, listener: Listener, first: Sequence[Message]
) -> web.StreamResponse:
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=_HEADERS)
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    with suppress(ConnectionError):  # a client may leave at any time
        await response.write(_RETRY + b"".join([message.encoded for message in first]))
        while (batch := await listener.next()) is not None:
            await response.write(batch)
        await response.write_eof()
    return response
