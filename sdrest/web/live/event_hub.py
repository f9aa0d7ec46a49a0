"""Hands what happens to jobs to any number of clients: numbered, and remembered for a while."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from aiohttp import web

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import JobKey, Snapshot
from sdrest.web.live.messages import Message

HEARTBEAT_SECONDS = 15.0
"""Seconds of silence after which a stream sends a comment."""

_REMEMBERED = 1024
"""Messages that are kept for clients that reconnect."""

_MAX_PENDING = 1024
"""Jobs that a client may be behind on; one that is further behind has to reconnect."""


class Subscription:
    """What one client has yet to receive: the latest message of each job.

    `key` is the one job that it follows, or None for all jobs. A client that is slow misses steps
    of a job, never its state. A preview replaces only an earlier preview, since clients may ignore
    previews. Of a job that is being deleted, those who follow it receive only
    the deletion. `ended` is true when nothing more will come. `transport` is where the messages go,
    if they go to a client directly.
    """

    def __init__(self, key: JobKey | None) -> None:
        self.key = key
        self.ended = False
        self.transport: asyncio.Transport | None = None
        self._waiting = False
        self._pending: dict[tuple[JobKey, bool], Message] = {}
        self._news = asyncio.Event()

    def put(self, message: Message) -> None:
        """Keep a message until the client takes it; it replaces an earlier one of its job."""
        if self.ended or (self.key is not None and message.event.deleting):
            return
        for is_preview in (True,) if message.is_preview else (True, False):
            self._pending.pop((message.key, is_preview), None)
        self._pending[message.key, message.is_preview] = message
        too_far_behind = len(self._pending) > _MAX_PENDING
        if too_far_behind:
            self._pending.clear()
        if too_far_behind or (self.key is not None and message.final):
            self.ended = True
        self._news.set()

    def end(self) -> None:
        """Let `take` return; what is pending may still be taken."""
        self.ended = True
        self._news.set()

    def disconnect(self) -> None:
        """End, and abort the connection if its client has not read what it was sent."""
        self.end()
        if self.transport is not None and not self._waiting:
            self.transport.abort()

    async def take(self, patience: float | None = None) -> list[Message]:
        """Wait for messages, in their order; none after `patience` seconds, or at the end."""
        if not self._pending and not self.ended:
            self._news.clear()
            self._waiting = True
            try:
                async with asyncio.timeout(patience):
                    await self._news.wait()
            except TimeoutError:
                pass
            finally:
                self._waiting = False
        messages = list(self._pending.values())
        self._pending.clear()
        return messages


class EventHub:
    """Passes every event of `bus` on to the subscriptions that want it.

    A preview has the number of the message before it and is not remembered. A stream sends a
    comment after `heartbeat` seconds of silence. `close` ends all subscriptions, and those to come.
    """

    def __init__(self, bus: Bus, *, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self.number = 0
        """The number of the last message."""
        self.heartbeat = heartbeat
        self._server = secrets.token_hex(4)
        self._remembered: deque[tuple[int, JobEvent]] = deque(maxlen=_REMEMBERED)
        self._subscriptions: set[Subscription] = set()
        self._closed = False
        bus.subscribe(self._publish)

    def present(self, snapshot: Snapshot, number: int) -> Message:
        """Return a message with the state of a job as of message `number`, or later."""
        return Message(self._server, number, JobEvent(Change.QUEUED, snapshot))

    def mark(self) -> str:
        """Return the id of a client that has received all that has happened until now."""
        return f"{self._server}-{self.number}-0"

    def missed(self, last_id: str) -> Iterable[Message] | None:
        """Return the latest message of each job after the one with an id; None: not known."""
        server, _, rest = last_id.partition("-")
        number = rest.partition("-")[0]
        if server != self._server or not (number.isascii() and number.isdecimal()):
            return None
        last = int(number[:18])
        if last < self.number and (not self._remembered or self._remembered[0][0] > last + 1):
            return None
        later = {event.snapshot.job.key: (n, event) for n, event in self._remembered if n > last}
        ordered = sorted(later.values(), key=lambda numbered: numbered[0])
        return [Message(self._server, n, event) for n, event in ordered]

    @contextmanager
    def subscribe(self, key: JobKey | None) -> Iterator[Subscription]:
        """Receive what happens to a job, or to all jobs, inside the block."""
        subscription = Subscription(key)
        if self._closed:
            subscription.end()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription, and those to come."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.disconnect()

    def _publish(self, event: JobEvent) -> None:
        if event.change is not Change.PREVIEW:  # the next preview replaces one that was missed
            self.number += 1
            self._remembered.append((self.number, event))  # without its bytes, which are large
        message = Message(self._server, self.number, event)
        for subscription in self._subscriptions:
            if subscription.key is None or subscription.key == message.key:
                subscription.put(message)


HUB = web.AppKey("hub", EventHub)
