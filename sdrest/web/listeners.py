"""Who hears of jobs: clients with an open stream, and answers that wait. No HTTP here.

What a topic's listeners have yet to hear lies in the topic, once for all of them; a listener knows
how far it is. So an event costs the same whoever listens, until it is written.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol

from sdrest.web.messages import HEARTBEAT, Frame, Message

_PENDING = 32
"""Messages that a topic keeps before it looks which of them are needed."""

_MOST_JOBS = 1024
"""Jobs of which a listener may have missed something; one that missed more has to come again."""

_MOST_UNREAD = 16 * 1024
"""Bytes that may wait to be taken by a client that is given more."""


class Client(Protocol):
    """Where a stream leads to."""

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more."""
        ...

    @property
    def unread(self) -> int:
        """How many bytes wait to be taken."""
        ...

    def write(self, frame: Frame) -> None:
        """Send without waiting."""
        ...

    def abort(self) -> None:
        """Hang up at once."""
        ...


class Topic:
    """What listeners want to hear of, after message `number`: one job to its end, or all of them.

    A listener that is behind gets the last message of each job: it misses steps, never the state.
    Of a job that is being deleted, those who follow it hear just that: not how it ends on the way.
    """

    def __init__(self, number: int, *, one_job: bool) -> None:
        self.listeners: set[Listener] = set()
        self.last = number
        self.closed = False
        self._one_job = one_job
        self._log: list[Message] = []
        self._most = _PENDING
        self._lost = 0
        self._made: dict[str, tuple[int, Frame | None]] = {}

    def hear(self, message: Message) -> None:
        """Keep a message until all have it."""
        if self._one_job and message.event.leaving:
            return
        log = self._log
        if log and message.replaces(log[-1]):
            log[-1] = message
        else:
            log.append(message)
        self.last = message.number
        self._made.clear()
        self.closed = self._one_job and message.final
        if len(log) > self._most:
            self._reduce()

    def after(self, number: int, prefix: str = "") -> Frame | None:
        """Return all that came after message `number`, or replaces it, with paths of `prefix`."""
        if number == self.last:
            return None
        made = self._made.get(prefix)
        if made is None or made[0] != number:
            news = [message.frame(prefix) for message in self._log if message.number > number]
            made = self._made[prefix] = (number, Frame.of(news) if news else None)
        return made[1]

    def has_lost(self, number: int) -> bool:
        """Whether something that came after message `number` is not known any more."""
        return number < self._lost

    def _reduce(self) -> None:
        """Keep the last message of each job, as far as somebody has not got it yet."""
        heard = min((listener.number for listener in self.listeners), default=self.last)
        latest = {message.key: message for message in self._log if message.number > heard}
        log = sorted(latest.values(), key=lambda message: message.number)
        if len(log) > _MOST_JOBS:
            self._lost = log[-_MOST_JOBS - 1].number
            log = log[-_MOST_JOBS:]
        self._log = log
        self._most = max(_PENDING, 2 * len(log))


class Listener(ABC):
    """Somebody who hears of a topic; all up to message `number` by now."""

    def __init__(self, topic: Topic) -> None:
        self.number = topic.last
        self.topic = topic

    @abstractmethod
    def beat(self) -> None:
        """Say that the server is alive, at the next turn, where there is nothing else to say."""

    @abstractmethod
    def flush(self) -> bool:
        """Have a turn: hand over what is new. Return False where that has to be tried again."""

    @abstractmethod
    def stop(self) -> None:
        """End now."""


class Stream(Listener):
    """A client that is sent what there is. `wants_turn` is called with the stream.

    The paths in its events begin with `prefix`.
    """

    def __init__(
        self, topic: Topic, wants_turn: Callable[["Stream"], None], prefix: str = ""
    ) -> None:
        super().__init__(topic)
        self._prefix = prefix
        self._wants_turn = wants_turn
        self._client: Client | None = None
        self._beat = False
        self._ended = asyncio.Event()

    def open(self, client: Client, first: Sequence[Frame]) -> None:
        """Send `first`, then what happened meanwhile, and from now on whatever happens."""
        client.write(Frame.of(first))
        self._client = client
        self._wants_turn(self)

    def end(self) -> None:
        """Want nothing more."""
        self._ended.set()

    async def ended(self) -> None:
        """Wait until nothing more will come."""
        await self._ended.wait()

    def beat(self) -> None:
        """Send a comment at the next turn, unless the client has something to read anyway."""
        self._beat = True

    def flush(self) -> bool:
        """Send what is new, unless the client has not taken yet what was sent before."""
        client = self._client
        if client is None or self._ended.is_set():
            return True
        if client.gone or self.topic.has_lost(self.number):
            self.end()
            return True
        if client.unread > _MOST_UNREAD:
            return False
        news = self.topic.after(self.number, self._prefix)
        self.number = self.topic.last
        if news is not None:
            client.write(news)
        elif self._beat and not client.unread:
            client.write(HEARTBEAT)
        self._beat = False
        if self.topic.closed:
            self.end()
        return True

    def stop(self) -> None:
        """End now; a client that is behind would hold up others, so it is left."""
        if self._client is not None and not self.flush():
            self._client.abort()
        self.end()


class Waiter(Listener):
    """Somebody who only wants to know that something has happened."""

    def __init__(self, topic: Topic) -> None:
        super().__init__(topic)
        self._stopped = False
        self._wake = asyncio.Event()

    async def changed(self) -> bool:
        """Wait for something to happen; False where nothing will."""
        while self.topic.last == self.number and not (self.topic.closed or self._stopped):
            self._wake.clear()
            await self._wake.wait()
        happened = self.topic.last != self.number
        self.number = self.topic.last
        return happened

    def beat(self) -> None:
        """Say nothing."""

    def flush(self) -> bool:
        """Let `changed` look."""
        self._wake.set()
        return True

    def stop(self) -> None:
        """Let `changed` return."""
        self._stopped = True
        self._wake.set()
