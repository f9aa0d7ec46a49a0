"""One worker as the front sees it: calls with deadlines, its status, the runs that it has."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sdrest.engine.base import Need
from sdrest.engine.cluster.assignment import Place, needs_of
from sdrest.engine.cluster.protocol import (
    LOST_SECONDS,
    PREFIX,
    Message,
    Status,
    decode_offer,
    decode_status,
    refusal,
    versions,
)
from sdrest.engine.workers import Offer, WorkerInfo

if TYPE_CHECKING:
    from distributed.core import ConnectionPool

_RETRY_SECONDS = 0.1
"""Seconds until a call whose connection broke is made again."""

_LONGEST_PAUSE = 8.0
"""Most seconds until a worker that was given up is tried again; the first are a quarter."""

_CANCEL_SECONDS = 10.0
"""Seconds that a worker has to end a cancelled run; after that the run is ended in passing."""

_log = logging.getLogger(__name__)


class LostError(Exception):
    """The worker does not answer any more."""


class Link:
    """The front's connections to the worker at `address`; `changed` is called when it is another.

    `front` is the id of the running front, `pool` Dask's pool of connections; `named` makes the
    worker's name for people of its own one. A worker that has not answered for `lost_seconds` is
    given up, and tried again: it may be back.
    """

    def __init__(
        self,
        address: str,
        front: str,
        pool: "ConnectionPool",
        *,
        changed: Callable[[], object],
        named: Callable[[str], str],
        lost_seconds: float = LOST_SECONDS,
    ) -> None:
        self.address = address
        self.refused = ""
        self.runs: dict[str, str] = {}
        """The ids of the jobs that it runs, by the names of their runs."""
        self._front = front
        self._pool = pool
        self._changed = changed
        self._named = named
        self._lost_seconds = lost_seconds
        self._versions: Mapping[str, str] = {}
        self._offer: Offer | None = None
        self._needs: frozenset[Need] = frozenset()
        self._status = Status(0)
        self._since = self._last_seen = time.time()
        self._lost = asyncio.Event()
        self._lost.set()
        self._is_reported = False
        self._numbers = itertools.count(1)
        self._calls: set[asyncio.Task[Any]] = set()
        self._serving = asyncio.create_task(self._serve())

    @property
    def name(self) -> str:
        """The worker's name, or its address while that is unknown."""
        return self._offer.name if self._offer else self.address

    @property
    def offer(self) -> Offer | None:
        """What the worker has; None where it takes no jobs."""
        return None if self._lost.is_set() else self._offer

    @property
    def place(self) -> Place | None:
        """The worker for `assignment`; None where it takes no jobs."""
        if self._lost.is_set() or self._offer is None:
            return None
        others = [name for name in self._status.runs if not self._is_own(name)]
        running = len(self.runs) + len(others)
        status = self._status
        return Place(
            self.address, self._offer, self._needs, running, status.loaded, status.draining
        )

    @property
    def info(self) -> WorkerInfo:
        """The worker for people."""
        status = self._status
        return WorkerInfo(
            self.name,
            self.address,
            self._versions,
            self._since,
            self._last_seen,
            self._offer,
            sorted(self.runs.values()),
            sorted(status.loaded),
            status.busy,
            status.idle,
            status.memory,
            draining=status.draining,
            lost=self._lost.is_set() and not self.refused,
            refused=self.refused,
        )

    @contextmanager
    def holding(self, job: str) -> Iterator[str]:
        """Count a run of a job while the context lasts; its value is the run's name."""
        name = f"{self._front}-{next(self._numbers)}"
        self.runs[name] = job
        try:
            yield name
        finally:
            del self.runs[name]
            self._changed()

    async def ask(self, handler: str, **arguments: Any) -> Any:
        """Call the worker, again where a connection breaks; however long the answer takes.

        Raises `LostError` once the worker is given up.
        """
        while True:
            with suppress(OSError):
                return await self._try(handler, None, **arguments)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), _RETRY_SECONDS)

    async def events(self, run: str, since: int) -> Sequence[Message]:
        """Return events of a run; raises `LostError` where the worker has lost it."""
        answer: Sequence[Message] | None = await self.ask("events", run=run, since=since)
        if answer is None:
            raise LostError
        return answer

    async def cancel(self, run: str) -> None:
        """End a run; return when nothing of it is left, or the worker does not answer."""
        with suppress(TimeoutError, OSError, LostError):
            await self._try("cancel", _CANCEL_SECONDS, run=run)

    def call(self, handler: str) -> None:
        """Call a handler in the background; nothing happens where the worker does not answer."""
        if not self._lost.is_set():
            self._background(self._send(handler, self._lost_seconds))

    async def close(self) -> None:
        """Give up the worker for good."""
        self._serving.cancel()
        self._give_up()
        await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        """Follow the worker; when it was given up, try again for ever."""
        pause = _RETRY_SECONDS
        while not self.refused:
            try:
                await self._connect()
                pause = _RETRY_SECONDS
                while True:
                    await self._follow()
            except OSError as error:
                self._log_loss(error)
            except Exception:  # noqa: BLE001 (whatever another program answers)
                _log.exception("The answer of worker %s cannot be read.", self.name)
            self._give_up()
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _connect(self) -> None:
        """Begin again: the worker ends what this front left there."""
        own = versions()
        answer = await self._send("connect", self._lost_seconds, versions=own)
        known = isinstance(answer, Mapping) and "versions" in answer
        self._versions = answer["versions"] if known else {}
        self.refused = refusal(own, self._versions) if known else "It is not a worker of sdrest."
        self._last_seen = time.time()
        if self.refused:
            _log.warning("The worker at %s is refused: %s", self.address, self.refused)
        else:
            self._take_offer(answer["offer"])
            self._status = Status(0)
            self._since = self._last_seen
            self._lost.clear()
            self._is_reported = False
        self._changed()

    async def _follow(self) -> None:
        """Wait for the next status. Raises `OSError` where it does not come in time."""
        end = time.monotonic() + self._lost_seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            try:
                answer = await self._send("status", left, since=self._status.number)
                break
            except TimeoutError:
                raise
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS)
        if answer is None:
            raise ConnectionResetError("it does not know this front")
        self._last_seen = time.time()
        status = decode_status(answer)
        if status.number == self._status.number:
            return
        is_new = status.offer != self._status.offer
        self._status = status
        if is_new:
            self._take_offer(await self._send("offer", self._lost_seconds))
        for run in status.runs:
            if self._is_own(run) and run not in self.runs:
                self._background(self.cancel(run))
        self._changed()

    def _log_loss(self, error: OSError) -> None:
        """Say once that the worker does not answer."""
        if not self._lost.is_set():
            stopped = self._status.draining and not self.runs
            level = logging.DEBUG if stopped else logging.WARNING
            _log.log(level, "Worker %s does not answer any more.", self.name)
        elif not self._offer and not self._is_reported:
            _log.warning(
                "The worker at %s is connected, but cannot be reached from here: %s. See that no "
                "firewall is between.",
                self.address,
                error,
            )
        self._is_reported = True

    def _take_offer(self, message: Message) -> None:
        offer = decode_offer(message)
        self._offer = replace(offer, name=self._named(offer.name))
        self._needs = needs_of(self._offer)

    def _is_own(self, run: str) -> bool:
        return run.startswith(f"{self._front}-")

    def _give_up(self) -> None:
        self._lost.set()
        for comms in (self._pool.available, self._pool.occupied):
            for comm in tuple(comms.get(self.address, ())):
                comm.abort()  # `remove` would send on what they have begun, such as an upload
        self._pool.remove(self.address)  # the next ones are new
        self._changed()

    async def _try(self, handler: str, seconds: float | None, **arguments: Any) -> Any:
        """Call the worker once; raises `LostError` as soon as it is given up."""
        if self._lost.is_set():
            raise LostError
        calling = asyncio.create_task(self._send(handler, seconds, **arguments))
        losing = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait([calling, losing], return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                return calling.result()
            raise LostError
        finally:
            calling.cancel()
            losing.cancel()

    async def _send(self, handler: str, seconds: float | None, **arguments: Any) -> Any:
        """Call the worker; raises `TimeoutError` after `seconds`, whatever the connection does."""
        call = getattr(self._pool(self.address), PREFIX + handler)
        task = self._background(call(front=self._front, **arguments))
        try:
            await asyncio.wait([task], timeout=seconds)
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            task.cancel()  # closing its connection may take as long as the call itself

    def _background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task
