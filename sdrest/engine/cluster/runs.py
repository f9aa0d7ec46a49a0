"""The runs of a worker, whichever front began them: events that wait until they are fetched."""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sdrest.cancellation import until_done
from sdrest.engine.base import STOP_SECONDS, Event, Executor, Finished, ImageReady, Requeue, Task
from sdrest.engine.cluster.protocol import (
    ABANDONED_SECONDS,
    POLL_SECONDS,
    Message,
    decode_task,
    encode_event,
)
from sdrest.errors import Failure, FailureCode

_REMEMBERED = 1000
"""Names of runs that were cancelled before they began."""

_SENDING_SECONDS = 0.2
"""Seconds in which the last events reach a front before the worker disconnects."""

_STOPPED = Finished(
    Failure(FailureCode.KILLED, "The worker was stopped while it ran this job."),
    requeue=Requeue.YES,
)

_UNREADABLE = Finished(
    Failure(FailureCode.INTERNAL, "The worker could not read the task; see the worker's log.")
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Signal:
    """Wakes all that wait for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def send(self) -> None:
        """Wake those that wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for `send`, so many seconds at most; return whether it was called."""
        event = self._event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
        return event.is_set()


class Runs:
    """Runs tasks in folders below `folder`, each under the name that its front gave it.

    `changed` is sent when a run begins or ends, or the worker begins to drain.
    """

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.executor = executor
        self.changed = Signal()
        self.draining = asyncio.Event()
        self._folder = folder
        self._runs: dict[str, _Run] = {}
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._fronts: dict[str, _Front] = {}
        self._ending: asyncio.Task[None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the runs whose end no front has seen."""
        return tuple(name for name, run in self._runs.items() if not run.seen)

    @property
    def has_front(self) -> bool:
        """Whether a front has called lately."""
        return bool(self._fronts)

    def welcome(self, front: str) -> None:
        """Note that a front has connected: only such a one is known."""
        self._fronts[front].connected = True

    def knows(self, front: str) -> bool:
        """Whether this front has connected, and called lately."""
        return front in self._fronts and self._fronts[front].connected

    @contextmanager
    def called_by(self, front: str) -> Iterator[None]:
        """Note that a front calls, while the context lasts; one that does not is given up."""
        known = self._fronts.setdefault(front, _Front())
        known.calls += 1
        if known.expiry:
            known.expiry.cancel()
        try:
            yield
        finally:
            known.calls -= 1
            if not known.calls:
                loop = asyncio.get_running_loop()
                known.expiry = loop.call_later(ABANDONED_SECONDS, self._give_up, front)

    def start(self, front: str, name: str, message: Message) -> None:
        """Begin a task, unless that was done before, or it was cancelled, or the worker stops."""
        if name in self._runs or name in self._cancelled or self.draining.is_set():
            return
        run = self._runs[name] = _Run(front)
        run.task = asyncio.create_task(self._execute(run, message))
        run.task.add_done_callback(lambda _: self.changed.send())
        self.changed.send()

    async def events(self, name: str, since: int) -> Sequence[Message] | None:
        """Return the events of a run from number `since` on; wait for one, but not for long.

        Returns None for a run that is not there.
        """
        run = self._runs.get(name)
        if run is None:
            return None
        events = await run.fetch(since)
        if events and not run.seen and run.finished:
            run.seen = True
            # The front may ask again, where it did not get this answer.
            loop = asyncio.get_running_loop()
            loop.call_later(ABANDONED_SECONDS, self._runs.pop, name, None)
            self.changed.send()
        return events

    async def cancel(self, name: str) -> None:
        """End a run and forget it; one that has not begun never will."""
        run = self._runs.get(name)
        if run is None:
            self._cancelled[name] = None
            if len(self._cancelled) > _REMEMBERED:
                self._cancelled.popitem(last=False)
            return
        await run.end()
        self._runs.pop(name, None)
        self.changed.send()

    async def cancel_all(self, front: str | None = None) -> None:
        """End all runs, or those of one front."""
        names = [name for name, run in self._runs.items() if front in {None, run.front}]
        await asyncio.gather(*map(self.cancel, names))

    async def drain(self, grace: float) -> None:
        """Take no further runs; give those that run `grace` seconds, then hand them back.

        Returns when the fronts have seen how all runs ended, or are not there to see it.
        """
        self.draining.set()
        self.changed.send()
        runs = list(self._runs.values())
        if not runs:
            return
        await asyncio.wait([run.task for run in runs], timeout=grace)
        await asyncio.gather(*(run.end() for run in runs))
        while self.names and await self.changed.wait(POLL_SECONDS):
            pass
        await asyncio.sleep(_SENDING_SECONDS)

    def _give_up(self, front: str) -> None:
        """End the runs of a front that does not call any more."""
        del self._fronts[front]
        running = [run.task for run in self._runs.values() if run.front == front]
        if any(not task.done() for task in running):
            _log.warning("The server has gone: its jobs end here.")
        self._ending = asyncio.create_task(self.cancel_all(front))

    async def _execute(self, run: "_Run", message: Message) -> None:
        """Run a task, and put down its events, exactly one `Finished` last."""
        try:
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            try:
                task = await _in_thread(_unpack, message, folder)
                async with aclosing(self.executor.run(task)) as events:
                    async for event in events:
                        run.add(await self._encoded(event))
            finally:
                await _in_thread(shutil.rmtree, folder, ignore_errors=True)
        except OSError as error:
            run.add(encode_event(Finished(_storage_failure(error))))
        except Exception:  # noqa: BLE001 (a bug, or a broken message; the other runs go on)
            _log.exception("The worker cannot run a task of the server.")
            run.add(encode_event(_UNREADABLE))

    async def _encoded(self, event: Event) -> Message:
        """Return an event as values; an image's file is removed, to make room for the next one."""
        if isinstance(event, ImageReady):
            message = await _in_thread(encode_event, event)
            with contextlib.suppress(OSError):
                event.path.unlink()
            return message
        if isinstance(event, Finished) and event.requeue is Requeue.IF_STOPPING:
            requeue = Requeue.YES if await self._drains_soon() else Requeue.NO
            event = Finished(event.failure, event.peak_rss, requeue)
        return encode_event(event)

    async def _drains_soon(self) -> bool:
        """Wait for the signal that may have ended a script, if it was sent to all processes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.draining.wait()
        return self.draining.is_set()


@dataclass(slots=True)
class _Front:
    """A front: how many of its calls are being answered, and when it is given up."""

    calls: int = 0
    expiry: asyncio.TimerHandle | None = None
    connected: bool = False


class _Run:
    """One run of a front. Its events are kept until the front has asked beyond them.

    `seen` says that the front has fetched the last one.
    """

    task: asyncio.Task[None]

    def __init__(self, front: str) -> None:
        self.front = front
        self.finished = False
        self.seen = False
        self._events: list[Message] = []
        self._first = 0
        self._added = Signal()

    def add(self, event: Message) -> None:
        """Put down an event; nothing after the last one."""
        if not self.finished:
            self.finished = event["event"] == "finished"
            self._events.append(event)
            self._added.send()

    async def fetch(self, since: int) -> Sequence[Message]:
        """Drop the events before number `since`; return the others, and wait if there are none."""
        passed = max(0, since - self._first)
        del self._events[:passed]
        self._first += passed
        if not (self._events or self.finished):
            await self._added.wait(POLL_SECONDS)
        return self._events[max(0, since - self._first) :]

    async def end(self) -> None:
        """End the run, as stopped unless it has ended by itself; return when nothing is left."""
        self.task.cancel()
        await until_done(asyncio.create_task(asyncio.wait({self.task})))
        self.add(encode_event(_STOPPED))


async def _in_thread(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call `work` in a thread; a cancellation is raised when that has returned."""
    return await until_done(asyncio.create_task(asyncio.to_thread(work, *arguments, **named)))


def _unpack(message: Message, folder: Path) -> Task:
    """Return the task of a message, with its pictures and an empty work folder in `folder`."""
    inputs, workdir = folder / "inputs", folder / "work"
    inputs.mkdir()
    workdir.mkdir()
    return decode_task(message, workdir, inputs)


def _storage_failure(error: OSError) -> Failure:
    return Failure(
        FailureCode.STORAGE_FAILED,
        f"The worker could not read or write the pictures of the task ({error.strerror}). Make "
        "room on its disk for temporary files, or set TMPDIR there to a folder on another disk.",
    )
