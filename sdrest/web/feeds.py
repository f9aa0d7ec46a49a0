"""What happens to jobs, handed to any number of listeners: numbered, remembered for a while."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import JobKey, Snapshot
from sdrest.web.listeners import Listener, Stream, Topic, Waiter
from sdrest.web.messages import Message
from sdrest.web.rounds import Rounds

HEARTBEAT_SECONDS = 15.0
"""How often a silent stream says that it is alive."""

_KEPT = 1024
"""Messages that are kept for clients that come back."""

SomeListener = TypeVar("SomeListener", bound=Listener)


class Feeds:
    """Who listens to which job, and to all of them. `close` ends every stream at once.

    Each stream that says nothing else says every `heartbeat` seconds that it is alive.
    """

    def __init__(self, bus: Bus, *, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self.number = 0
        """How many messages there were."""
        self._heartbeat = heartbeat
        self._server = secrets.token_hex(4)
        self._recent: deque[tuple[int, JobEvent]] = deque(maxlen=_KEPT)
        self._everywhere = Topic(0, one_job=False)
        self._jobs: dict[JobKey, Topic] = {}
        self._listeners: set[Listener] = set()
        self._rounds = Rounds()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        bus.subscribe(self._take)

    def present(self, snapshot: Snapshot, number: int) -> Message:
        """Return a message that tells where a job stood after message `number`, or later."""
        return Message(self._server, number, JobEvent(Change.QUEUED, snapshot))

    def mark(self) -> str:
        """Return the id of a client that has heard all that has happened by now."""
        return f"{self._server}-{self.number}-0"

    def missed(self, last_id: str) -> Iterable[Message] | None:
        """Return the last message of each job after the one with an id; None: not known."""
        server, _, rest = last_id.partition("-")
        number = rest.partition("-")[0]
        if server != self._server or not (number.isascii() and number.isdecimal()):
            return None
        last = int(number[:18])
        if last < self.number and (not self._recent or self._recent[0][0] > last + 1):
            return None
        later = {event.snapshot.job.key: (n, event) for n, event in self._recent if n > last}
        ordered = sorted(later.values(), key=lambda numbered: numbered[0])
        return [Message(self._server, n, event) for n, event in ordered]

    @contextmanager
    def stream(self, key: JobKey | None, prefix: str = "") -> Iterator[Stream]:
        """Listen to a job, or to all of them, inside the block; paths begin with `prefix`."""
        with self._listening(key, Stream(self._topic(key), self._rounds.add, prefix)) as stream:
            yield stream

    @contextmanager
    def waiter(self, key: JobKey) -> Iterator[Waiter]:
        """Wait for news of a job inside the block."""
        with self._listening(key, Waiter(self._topic(key))) as waiter:
            yield waiter

    def close(self) -> None:
        """End every stream, and those to come."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._rounds.close()
        for listener in self._listeners:
            listener.stop()

    def _topic(self, key: JobKey | None) -> Topic:
        if key is None:
            return self._everywhere
        return self._jobs.setdefault(key, Topic(self.number, one_job=True))

    @contextmanager
    def _listening(self, key: JobKey | None, listener: SomeListener) -> Iterator[SomeListener]:
        topic = listener.topic
        if self._closed:
            listener.stop()
        topic.listeners.add(listener)
        self._listeners.add(listener)
        self._keep_beating()
        try:
            yield listener
        finally:
            topic.listeners.discard(listener)
            self._listeners.discard(listener)
            if key is not None and not topic.listeners and self._jobs.get(key) is topic:
                del self._jobs[key]

    def _take(self, event: JobEvent) -> None:
        self.number += 1
        message = Message(self._server, self.number, event)
        self._recent.append((self.number, event))  # without the bytes, which are seldom needed
        for topic in filter(None, (self._everywhere, self._jobs.get(message.key))):
            topic.hear(message)
            if not self._closed:
                self._rounds.add_all(topic)
            if topic.closed:
                del self._jobs[message.key]  # who asks for the job again, begins anew

    def _keep_beating(self) -> None:
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._heartbeat, self._beat)

    def _beat(self) -> None:
        self._timer = None
        for listener in self._listeners:
            listener.beat()
        self._rounds.add(*self._listeners)
        if self._listeners:
            self._keep_beating()
