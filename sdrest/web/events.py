"""Jobs as Server-Sent Events: `GET /TYPE/ID/events`, and `GET /events` for all of them.

The present state comes first, so whoever comes back has missed nothing that matters. A stream of
one job ends with the job. Why no library: docs/adr/0007-event-streams.md.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web

from sdrest.jobs.model import Snapshot, Status
from sdrest.params import JobType
from sdrest.web import keys
from sdrest.web.handlers import JOB, JobRoutes
from sdrest.web.listeners import Stream
from sdrest.web.messages import EventKind, Frame, Message, ended_at, told
from sdrest.web.proxy import prefix

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
        for start in self._routes.prefixes:
            router.add_get(start + JOB + "/events{slash:/?}", self.get)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Send what happens to a job until its end.

        A client that has seen the end is answered 204, which keeps it from coming again.
        """
        key, feeds = self._routes.key(request), request.app[keys.FEEDS]
        with feeds.stream(key, prefix(request)) as stream:
            number = feeds.number
            snapshot = await request.app[keys.QUEUE].get(key)
            end = ended_at(snapshot.job)
            if end and request.headers.get(LAST_EVENT_ID, "").rpartition("-")[2] == str(end):
                return web.Response(status=HTTPStatus.NO_CONTENT)
            if end:
                stream.end()
            first = _frames(request, [feeds.present(snapshot, number)])
            return await _send(request, stream, first)


async def _all(request: web.Request) -> web.StreamResponse:
    """Send what happens to any job; first what was missed, or all jobs that wait or run.

    A client whose id is not known, be it old or of another server, is told so by `reset`.
    """
    feeds = request.app[keys.FEEDS]
    last_id = request.headers.get(LAST_EVENT_ID, "")
    with feeds.stream(None, prefix(request)) as stream:
        number, mark = feeds.number, feeds.mark()
        missed = feeds.missed(last_id)
        first = [Frame(b"id: %b\n\n" % mark.encode())]
        if missed is not None:
            first = _frames(request, missed)
        elif last_id:
            first = [told(mark, EventKind.RESET, b"{}")]
        if missed is None:
            active = await _active(request)
            first += _frames(request, (feeds.present(each, number) for each in active))
        return await _send(request, stream, first)


async def _active(request: web.Request) -> Sequence[Snapshot]:
    """Return the jobs that run, and the newest of those that wait."""
    queue = request.app[keys.QUEUE]
    running, _ = await queue.page(Status.IN_PROGRESS, limit=_PAGE)
    waiting, _ = await queue.page(Status.QUEUED, limit=_PAGE)
    return [*running, *waiting]


def _frames(request: web.Request, messages: Iterable[Message]) -> list[Frame]:
    return [message.frame(prefix(request)) for message in messages]


async def _send(request: web.Request, stream: Stream, first: Sequence[Frame]) -> web.StreamResponse:
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=_HEADERS)
    response = web.StreamResponse(headers=_HEADERS)
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    await response.prepare(request)
    with suppress(ConnectionError):  # a client may leave at any time
        await response.write(_RETRY)
        stream.open(_Connection(request, response), first)
        await stream.ended()
        await response.write_eof()
    return response


class _Connection:
    """A client's connection, after the headers: written to directly, since that needs no task."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        self._chunked = response.chunked

    @property
    def gone(self) -> bool:
        return self._transport.is_closing()

    @property
    def unread(self) -> int:
        return self._transport.get_write_buffer_size()

    def write(self, frame: Frame) -> None:
        if frame.plain:
            self._transport.write(frame.chunk if self._chunked else frame.plain)

    def abort(self) -> None:
        self._transport.abort()
