"""Limits connections: their number, and how long a client may leave an answer unread.

Slow requests are bounded elsewhere: headers by the keep-alive timeout, bodies by
`sdrest.web.requests.forms.PATIENCE`.
"""

import asyncio
import resource
from dataclasses import dataclass

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


def allow_many() -> None:
    """Raise the number of descriptors that this process may have open, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _WANTED_DESCRIPTORS)
    )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
