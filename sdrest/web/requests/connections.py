"""Limits connections: their number, and how long a client may leave an answer unread.

Slow requests are bounded elsewhere: headers by the keep-alive timeout, bodies by
`sdrest.web.requests.forms.PATIENCE`.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Protocol, cast

from aiohttp import web

_KEPT = 256
"""Descriptors that are left for files, scripts and their pipes."""

_FEWEST = 64
_WANTED_DESCRIPTORS = 10_240
"""As many as macOS allows at most; its default is 256."""


@dataclass(slots=True)
class _Seen:
    """How many bytes waited to be read by a client, and since when it is as many."""

    unread: int
    since: float


class Connections:
    """The open connections. One that reads nothing for `patience` seconds is ended."""

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._seen: dict[asyncio.Transport, _Seen] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._limit = max(_FEWEST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _KEPT)

    def add(self, transport: asyncio.Transport) -> None:
        """Watch a new connection, or end it where there are too many."""
        if len(self._seen) >= self._limit:
            transport.abort()
            return
        self._seen[transport] = _Seen(0, 0)
        if self._timer is None:
            self._arm()

    def discard(self, transport: asyncio.Transport) -> None:
        """Forget a connection that has ended."""
        self._seen.pop(transport, None)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._patience / 4, self._patrol)

    def _patrol(self) -> None:
        now = asyncio.get_running_loop().time()
        for transport, seen in list(self._seen.items()):
            unread = transport.get_write_buffer_size()
            if unread == 0 or unread != seen.unread:
                seen.unread, seen.since = unread, now
            elif now - seen.since >= self._patience:
                transport.abort()
        self._timer = None
        if self._seen:
            self._arm()


class Departures:
    """Calls functions once a connection has ended."""

    def __init__(self) -> None:
        self._calls: dict[object, Callable[[], None]] = {}
        self._gone = False

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """Call a function at the end if that comes inside the block, or at once if it has come."""
        token = object()
        self._calls[token] = call
        if self._gone:
            call()
        try:
            yield
        finally:
            del self._calls[token]

    def announce(self) -> None:
        """Call the functions: the connection has ended."""
        self._gone = True
        for call in tuple(self._calls.values()):
            call()


class _Watched(Protocol):
    departures: Departures


@asynccontextmanager
async def while_connected(request: web.Request) -> AsyncIterator[None]:
    """Interrupt the block once the client has gone, with a `ConnectionResetError`."""
    limit = asyncio.timeout(None)
    departures = cast("_Watched", request.protocol).departures
    try:
        async with limit:
            with departures.calling(lambda: limit.reschedule(0)):
                yield
    except TimeoutError:
        if limit.expired():
            raise ConnectionResetError("The client has gone.") from None
        raise


def allow_many() -> None:
    """Raise the number of descriptors that this process may have open, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _WANTED_DESCRIPTORS)
    )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
