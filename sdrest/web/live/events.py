"""Jobs as Server-Sent Events: `GET /TYPE/ID/events`, and `GET /events` for all of them.

The present state comes first, so a client that reconnects misses nothing that matters. A stream of
one job ends with the job. Why no library: docs/adr/0007-event-streams.md.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus

from aiohttp import HttpVersion11, hdrs, web

from sdrest.jobs.model import Snapshot, Status
from sdrest.web import keys
from sdrest.web.live.event_hub import HUB, Subscription
from sdrest.web.live.messages import HEARTBEAT, EventKind, Message, ended_at, format_event
from sdrest.web.requests.job_path import job_key
from sdrest.web.requests.proxy import prefix

LAST_EVENT_ID = "Last-Event-ID"

_RETRY = b"retry: 1000\n\n"
_PAGE = 1000

_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


async def close(app: web.Application) -> None:
    """End every stream, so that streams do not delay a stop; for `on_shutdown`."""
    app[HUB].close()


async def send_job_events(request: web.Request) -> web.StreamResponse:
    """Send what happens to a job until its end.

    A client that has seen the end is answered 204, which stops its reconnecting.
    """
    key, hub = job_key(request), request.app[HUB]
    with hub.subscribe(key) as subscription:
        number = hub.number
        snapshot = await request.app[keys.JOBS].get(key)
        end = ended_at(snapshot.job)
        if end and request.headers.get(LAST_EVENT_ID, "").rpartition("-")[2] == str(end):
            return web.Response(status=HTTPStatus.NO_CONTENT)
        if end:
            subscription.end()
        return await _send(request, subscription, more=[hub.present(snapshot, number)])


async def send_all_events(request: web.Request) -> web.StreamResponse:
    """Send what happens to any job; first what was missed, or all jobs that wait or run.

    A client whose id is not known, because it is old or of another server, receives `reset`.
    """
    hub = request.app[HUB]
    last_id = request.headers.get(LAST_EVENT_ID, "")
    with hub.subscribe(None) as subscription:
        number, mark = hub.number, hub.mark()
        missed = hub.missed(last_id)
        if missed is not None:
            return await _send(request, subscription, more=missed)
        first = b"id: %b\n\n" % mark.encode()
        if last_id:
            first = format_event(mark, EventKind.RESET, b"{}")
        active = [hub.present(snapshot, number) for snapshot in await _active(request)]
        return await _send(request, subscription, first, active)


async def _active(request: web.Request) -> Sequence[Snapshot]:
    """Return the jobs that run, and the newest of those that wait."""
    service = request.app[keys.JOBS]
    running, _ = await service.page(Status.IN_PROGRESS, limit=_PAGE)
    waiting, _ = await service.page(Status.QUEUED, limit=_PAGE)
    return [*running, *waiting]


async def _send(
    request: web.Request,
    subscription: Subscription,
    first: bytes = b"",
    more: Iterable[Message] = (),
) -> web.StreamResponse:
    """Send `first` and `more`, then what the subscription receives, until it ends.

    A client that does not read what it was sent is disconnected when the server stops.
    """
    if request.method == hdrs.METH_HEAD:
        return web.Response(headers=_HEADERS)
    response = web.StreamResponse(headers=_HEADERS)
    if request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    await response.prepare(request)
    heartbeat, start = request.app[HUB].heartbeat, prefix(request)
    subscription.transport = request.transport
    with suppress(ConnectionError):  # a client may leave at any time
        await response.write(b"".join([_RETRY, first, *(message.data(start) for message in more)]))
        while not subscription.ended:
            news = await subscription.take(heartbeat)
            if news or not subscription.ended:
                await response.write(b"".join(message.data(start) for message in news) or HEARTBEAT)
        await response.write_eof()
    return response
