"""Who hears of jobs: clients with an open stream, and answers that wait. No HTTP, but its chunks.

Every message tells all that a client may want to know of a job, so a later one of the same job
replaces an earlier one that has not been sent: a slow listener misses steps, never the state, and
what waits for it is bounded. A message is encoded once, whoever listens.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey
from sdrest.web.render import job_entry, json_body

_PENDING = 32
"""Messages that may wait for a listener before they are reduced to the last of each job."""

_MOST_JOBS = 1024
"""Jobs of which a listener may have missed something; one that missed more has to come again."""

_MOST_UNREAD = 16 * 1024
"""Bytes that may wait to be taken by a client that is given more."""

_SLICE = 0.001
"""Seconds of a round after which other work of the server has its turn."""

_LOOK_SECONDS = 0.1
"""How often it is looked whether a client that was slow takes bytes again."""

_KINDS = {Change.PROGRESS: "progress", Change.IMAGE: "image", Change.DELETED: "deleted"}


class Frame:
    """Bytes of a stream, as they are and as an HTTP chunk; made once for all that get them."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self.chunk = b"%x\r\n%b\r\n" % (len(plain), plain)


HEARTBEAT = Frame(b": still here\n\n")


class Message:
    """An event of a stream: its id is `SERVER-NUMBER-END`, END the time at which the job ended."""

    def __init__(self, server: str, number: int, event: JobEvent) -> None:
        self.number = number
        self.event = event
        self.id = f"{server}-{number}-{ended_at(event.snapshot.job)}"

    @property
    def key(self) -> JobKey:
        """The key of the job."""
        return self.event.snapshot.job.key

    @property
    def final(self) -> bool:
        """Whether there will be no more of the job, unless it is asked for again."""
        return self.event.snapshot.job.status.final or self.event.change is Change.DELETED

    def replaces(self, other: "Message") -> bool:
        """Whether nobody who gets this needs `other`, which came before: a step of the same job."""
        steps = self.event.change is other.event.change is Change.PROGRESS
        return steps and self.key == other.key

    @cached_property
    def frame(self) -> Frame:
        """The event; one of a change of status tells the parameters too."""
        kind = _KINDS.get(self.event.change, "status")
        if kind == "deleted":
            entry = {"id": self.key.id, "resultUrl": self.key.url, "type": self.key.type}
        else:
            entry = job_entry(self.event.snapshot, params=kind == "status")
        return Frame(
            b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), kind.encode(), json_body(entry))
        )


def ended_at(job: Job) -> int:
    """Return when a job came to its end, in milliseconds since the epoch; 0 if it has not."""
    return round((job.finished_at or job.created_at) * 1000) if job.status.final else 0


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

    def write(self, frames: Sequence[Frame]) -> None:
        """Send without waiting."""
        ...

    def abort(self) -> None:
        """Hang up at once."""
        ...


class Listener(ABC):
    """Somebody who hears messages; `flush` is their turn in a round.

    `once`: they hear of one job, to its end. Of a job that is being deleted they hear that it is
    deleted, and not how it comes to its end on the way.
    """

    def __init__(self, *, once: bool) -> None:
        self.due = False
        self.closed = False
        self._once = once
        self._pending: list[Message] = []

    def hear(self, message: Message) -> None:
        """Take a message, or forget older ones of the same job for it."""
        if self.closed or (self._once and message.event.leaving):
            return
        pending = self._pending
        if pending and message.replaces(pending[-1]):
            pending[-1] = message
            return
        pending.append(message)
        if len(pending) > _PENDING:
            latest = {message.key: message for message in pending}
            self._pending = sorted(latest.values(), key=lambda message: message.number)
        if len(self._pending) > _MOST_JOBS:
            self._pending.clear()
            self.closed = True
        elif self._once and message.final:
            self.closed = True

    @abstractmethod
    def beat(self) -> None:
        """Say that the server is alive, where there is nothing else to say."""

    @abstractmethod
    def flush(self) -> bool:
        """Hand over what waits; return False where that has to be tried again."""

    @abstractmethod
    def stop(self) -> None:
        """End now."""


class Stream(Listener):
    """A client that is sent what it hears. `wants_turn` is called with the stream."""

    def __init__(self, *, once: bool, wants_turn: Callable[["Stream"], None]) -> None:
        super().__init__(once=once)
        self._wants_turn = wants_turn
        self._client: Client | None = None
        self._beat = False
        self._ended = asyncio.Event()

    def open(self, client: Client, first: Sequence[Frame]) -> None:
        """Send `first`, then what was heard meanwhile, and from now on whatever is heard."""
        client.write(first)
        self._client = client
        self._wants_turn(self)

    def end(self) -> None:
        """Want nothing more, not even what was heard."""
        self._pending.clear()
        self.closed = True

    async def ended(self) -> None:
        """Wait until everything is sent and nothing more will come."""
        await self._ended.wait()

    def beat(self) -> None:
        """Send a comment at the next turn, unless the client has something to read anyway."""
        self._beat = True

    def flush(self) -> bool:
        """Send what waits, unless the client has not taken yet what was sent before."""
        client = self._client
        if client is None:
            return True
        if client.gone:
            self._pending.clear()
            self._ended.set()
            return True
        if client.unread > _MOST_UNREAD:
            return False
        if self._pending:
            client.write([message.frame for message in self._pending])
            self._pending.clear()
        elif self._beat and not (self.closed or client.unread):
            client.write([HEARTBEAT])
        self._beat = False
        if self.closed:
            self._ended.set()
        return True

    def stop(self) -> None:
        """End now; a client that is behind would hold up others, so it is left."""
        self.closed = True
        if self._client is not None and not self.flush():
            self._client.abort()
        self._ended.set()


class Waiter(Listener):
    """Somebody who only wants to know that something has happened to a job."""

    def __init__(self) -> None:
        super().__init__(once=True)
        self._wake = asyncio.Event()

    async def changed(self) -> bool:
        """Wait for something to happen; False where nothing will."""
        while not (self._pending or self.closed):
            self._wake.clear()
            await self._wake.wait()
        happened = bool(self._pending)
        self._pending.clear()
        return happened

    def beat(self) -> None:
        """Say nothing."""

    def flush(self) -> bool:
        """Let `changed` look."""
        self._wake.set()
        return True

    def stop(self) -> None:
        """Let `changed` return."""
        self.closed = True
        self._wake.set()


class Rounds:
    """Gives listeners their turns, so that neither many of them nor slow ones hold up the server.

    In a round each of those that have heard something has one turn. A round goes on in slices,
    between which the server does other work; after it there is a rest, as long as the round took.
    What happens meanwhile waits for the next round, where steps of a job are one: thousands of
    listeners get fewer steps, and never take more than half of the processor.
    """

    def __init__(self) -> None:
        self._round: deque[Listener] = deque()
        self._next: list[Listener] = []
        self._behind: list[Listener] = []
        self._spent = 0.0
        self._rests_until = 0.0
        self._handle: asyncio.Handle | None = None
        self._look: asyncio.TimerHandle | None = None

    def add(self, listener: Listener) -> None:
        """Let somebody have a turn soon."""
        if listener.due:
            return
        listener.due = True
        self._next.append(listener)
        if self._handle is None:
            self._begin_soon()

    def close(self) -> None:
        """Give no more turns."""
        for handle in (self._handle, self._look):
            if handle is not None:
                handle.cancel()
        self._round.clear()

    def _begin_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._rests_until > loop.time():
            self._handle = loop.call_at(self._rests_until, self._begin)
        else:
            self._handle = loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._round.extend(self._next)
        self._next.clear()
        self._spent = 0.0
        self._slice()

    def _slice(self) -> None:
        loop = asyncio.get_running_loop()
        start = now = loop.time()
        while self._round and now - start < _SLICE:
            listener = self._round.popleft()
            listener.due = False
            if not listener.flush():
                self._wait_for(listener)
            now = loop.time()
        self._spent += now - start
        self._handle = None
        if self._round:
            self._handle = loop.call_soon(self._slice)
            return
        self._rests_until = now + self._spent
        if self._next:
            self._begin_soon()

    def _wait_for(self, listener: Listener) -> None:
        listener.due = True
        self._behind.append(listener)
        if self._look is None:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(_LOOK_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._look = None
        behind, self._behind = self._behind, []
        for listener in behind:
            listener.due = False
            self.add(listener)
