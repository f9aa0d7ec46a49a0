"""What happens to jobs, handed to any number of listeners. No HTTP here, but its encoding.

Every message tells all that a client may want to know of a job, so a later one of the same job
replaces an earlier one that has not been sent: a slow listener misses steps, never the state, and
what waits for it is bounded. A message is encoded once, whoever listens.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Snapshot
from sdrest.web.render import job_entry, json_body

HEARTBEAT_SECONDS = 15.0
"""How often a silent stream says that it is alive."""

_HEARTBEAT = b": still here\n\n"
_KEPT = 1024
"""Messages that are kept for clients that come back."""

_PENDING = 32
"""Messages that may wait for a listener before they are reduced to the last of each job."""

_MOST_JOBS = 1024
"""Jobs of which a listener may have missed something; one that missed more has to come again."""

_KINDS = {Change.PROGRESS: "progress", Change.IMAGE: "image"}


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
        """Whether the job has come to its end."""
        return self.event.snapshot.job.status.final

    @cached_property
    def encoded(self) -> bytes:
        """The bytes of the event; those of a change of status tell the parameters too."""
        kind = _KINDS.get(self.event.change, "status")
        entry = json_body(job_entry(self.event.snapshot, params=kind == "status"))
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), kind.encode(), entry)


def ended_at(job: Job) -> int:
    """Return when a job came to its end, in milliseconds since the epoch; 0 if it has not."""
    return round((job.finished_at or job.created_at) * 1000) if job.status.final else 0


class Listener:
    """Somebody who reads messages, as fast or slowly as they can."""

    def __init__(self) -> None:
        self._pending: list[Message] = []
        self._beat = False
        self._wake = asyncio.Event()
        self._closed = False

    def hear(self, message: Message) -> None:
        """Take a message, or forget an older one of the same job for it."""
        self._pending.append(message)
        if len(self._pending) > _PENDING:
            latest = {message.key: message for message in self._pending}
            self._pending = sorted(latest.values(), key=lambda message: message.number)
        if len(self._pending) > _MOST_JOBS:
            self.end()
        self._wake.set()

    def beat(self) -> None:
        """Say something where there is nothing to say."""
        self._beat = True
        self._wake.set()

    def close(self) -> None:
        """Let `next` return what is left, then None."""
        self._closed = True
        self._wake.set()

    def end(self) -> None:
        """Forget what has not been sent, and close."""
        self._pending.clear()
        self.close()

    async def next(self) -> bytes | None:
        """Return what there is to send, once there is something; None at the end."""
        while not (self._pending or self._beat or self._closed):
            self._wake.clear()
            await self._wake.wait()
        pending, self._pending = self._pending, []
        beat, self._beat = self._beat, False
        if pending:
            return b"".join([message.encoded for message in pending])
        return _HEARTBEAT if beat and not self._closed else None


class JobListener(Listener):
    """A listener of one job, at its end with the job."""

    def hear(self, message: Message) -> None:
        """Take a message; the last one ends the stream."""
        super().hear(message)
        if message.final:
            self.close()


class Feeds:
    """Who listens to which job, and to all of them. `close` ends every stream at once."""

    def __init__(self, bus: Bus) -> None:
        self._server = secrets.token_hex(4)
        self._number = 0
        self._recent: deque[Message] = deque(maxlen=_KEPT)
        self._everywhere: set[Listener] = set()
        self._jobs: dict[JobKey, set[Listener]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        bus.subscribe(self._take)

    def present(self, snapshot: Snapshot) -> Message:
        """Return a message that tells where a job stands."""
        return Message(self._server, self._number, JobEvent(Change.QUEUED, snapshot))

    def missed(self, last_id: str) -> Iterable[Message] | None:
        """Return the last message of each job after the one with an id; None: too long ago."""
        server, _, rest = last_id.partition("-")
        number = rest.partition("-")[0]
        if server != self._server or not (number.isascii() and number.isdecimal()):
            return None
        last = int(number[:18])
        if last < self._number and (not self._recent or self._recent[0].number > last + 1):
            return None
        later = {message.key: message for message in self._recent if message.number > last}
        return sorted(later.values(), key=lambda message: message.number)

    @contextmanager
    def listener(self, key: JobKey | None) -> Iterator[Listener]:
        """Listen to a job, or to all of them, inside the block."""
        listener = Listener() if key is None else JobListener()
        if self._closed:
            listener.close()
        listeners = self._everywhere if key is None else self._jobs.setdefault(key, set())
        listeners.add(listener)
        self._keep_beating()
        try:
            yield listener
        finally:
            listeners.discard(listener)
            if key is not None and not listeners and self._jobs.get(key) is listeners:
                del self._jobs[key]

    def close(self) -> None:
        """End every stream, and those to come."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._each(Listener.close)

    def _take(self, event: JobEvent) -> None:
        self._number += 1
        message = Message(self._server, self._number, event)
        self._recent.append(message)
        for listener in (*self._everywhere, *self._jobs.get(message.key, ())):
            listener.hear(message)

    def _keep_beating(self) -> None:
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(HEARTBEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._timer = None
        self._each(Listener.beat)
        if self._everywhere or self._jobs:
            self._keep_beating()

    def _each(self, action: Callable[[Listener], None]) -> None:
        for listeners in (self._everywhere, *self._jobs.values()):
            for listener in listeners:
                action(listener)
