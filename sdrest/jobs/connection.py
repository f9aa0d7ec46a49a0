"""A SQLite connection on a thread of its own, which works off what waits for it in groups."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sdrest.errors import StorageUnavailableError, UsageError
from sdrest.jobs.space import storage_error

_BUGS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError)

_GATHER = 0.005
"""Seconds for which calls of a busy event loop are gathered: a group costs little more than one."""

_log = logging.getLogger(__name__)

T = TypeVar("T")
V = TypeVar("V")
Operation = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class Each(Generic[V, T]):
    """An operation on a value that costs less on many: `run` returns a result for each, in order.

    `run` is a function of a module, by which operations of a kind are known.
    """

    run: Callable[[sqlite3.Connection, Sequence[V]], Sequence[T]]
    value: V

    def __call__(self, connection: sqlite3.Connection) -> T:
        """Do it for this value alone."""
        return self.run(connection, [self.value])[0]


@dataclass(frozen=True, slots=True)
class Call:
    """An operation, and who waits for its result."""

    operation: Operation[Any]
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation returned or raised."""

    call: Call
    result: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        """Hand it over, on the event loop's thread."""
        call, future = self.call, self.call.future
        if self.error is None and call.then is not None:
            call.then(self.result)
        if future.done():
            return  # the caller was cancelled
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


class Connection:
    """Runs operations on the file at `path`.

    `run` takes a group of calls and returns their outcomes. `connect` opens the file; `reconnect`
    does so again where the file has gone, or after an error that left the connection in doubt.
    """

    def __init__(
        self,
        path: Path,
        *,
        connect: Callable[[], sqlite3.Connection],
        reconnect: Callable[[], sqlite3.Connection],
        run: Callable[[sqlite3.Connection, Sequence[Call]], list[Outcome]],
    ) -> None:
        self._path = path
        self._connect = connect
        self._reconnect = reconnect
        self._run = run
        self._gathered: list[Call] = []
        self._calls: SimpleQueue[Sequence[Call] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._troubled = False

    async def open(self) -> None:
        """Open the file; raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._serve, args=(Call(lambda _: None, None, opened),), daemon=True
        )
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._thread = None
            raise

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._put()
            self._calls.put(None)
            await asyncio.to_thread(thread.join)

    async def call(self, operation: Operation[T], then: Callable[[T], None] | None = None) -> T:
        """Return what `operation` returns, raise what it raises.

        Where the file cannot be used that is a `StorageUnavailableError`. `then` gets the result in
        the order in which operations ran, even if the caller was cancelled meanwhile.
        """
        if self._thread is None:
            raise StorageUnavailableError
        future: asyncio.Future[T] = self._loop.create_future()
        self._gathered.append(Call(operation, then, future))
        if len(self._gathered) == 1:
            self._loop.call_soon(self._hand_over, 0, self._loop.time() + _GATHER)
        return await future

    def _hand_over(self, before: int, latest: float) -> None:
        """Give the thread what has come, as soon as a turn of the loop brings no more."""
        count = len(self._gathered)
        if count > before and self._loop.time() < latest:
            self._loop.call_soon(self._hand_over, count, latest)
        else:
            self._put()

    def _put(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._calls.put(gathered)

    # Everything below runs on the thread.

    def _serve(self, opened: Call) -> None:
        try:
            self._use(self._connect())
        except Exception as error:  # noqa: BLE001 (told to who opens)
            self._deliver([Outcome(opened, error=error)])
            return
        self._deliver([Outcome(opened)])
        more = True
        while more:
            group, more = self._next_group()
            if group:
                self._deliver(self._outcomes(group))
        self._drop()

    def _next_group(self) -> tuple[list[Call], bool]:
        """Wait for a call; return it with those that wait behind it, and whether to go on."""
        group: list[Call] = []
        calls = self._calls.get()
        with suppress(Empty):
            while calls is not None:
                group += calls
                calls = self._calls.get_nowait()
        return group, calls is not None

    def _outcomes(self, group: Sequence[Call]) -> list[Outcome]:
        try:
            outcomes = self._run(self._usable(), group)
        except Exception as error:  # noqa: BLE001 (told to all callers; the thread lives on)
            self._drop()
            outcomes = [Outcome(call, error=as_storage_error(error)) for call in group]
        self._note_trouble(outcomes)
        return outcomes

    def _note_trouble(self, outcomes: Iterable[Outcome]) -> None:
        """Log the beginning and the end of a trouble, not each of its errors."""
        errors = [outcome.error for outcome in outcomes]
        unusable = [error for error in errors if isinstance(error, StorageUnavailableError)]
        if unusable and not self._troubled:
            _log.warning("The database cannot be used: %s", unusable[0].__cause__)
        if self._troubled and not unusable:
            _log.warning("The database can be used again")
        self._troubled = bool(unusable)

    def _usable(self) -> sqlite3.Connection:
        if self._connection is None or self._identity != _identity(self._path):
            self._drop()
            self._use(self._reconnect())
        assert self._connection is not None  # noqa: S101 (`_use` has set it)
        return self._connection

    def _use(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._identity = _identity(self._path)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _deliver(self, outcomes: Iterable[Outcome]) -> None:
        try:
            self._loop.call_soon_threadsafe(_deliver_all, outcomes)
        except RuntimeError:
            _log.debug("The event loop is closed; nobody waits any more.")


def run_all(connection: sqlite3.Connection, calls: Sequence[Call]) -> list[Outcome]:
    """Run calls in their order, neighbours of a kind together; raises what one of them raises."""
    outcomes: list[Outcome] = []
    for run_together, group in groupby(calls, key=_run_together):
        members = list(group)
        if run_together is None:
            results: Sequence[Any] = [call.operation(connection) for call in members]
        else:
            results = run_together(connection, [_value(call) for call in members])
        outcomes += map(Outcome, members, results)
    return outcomes


def _run_together(call: Call) -> Callable[..., Sequence[Any]] | None:
    return call.operation.run if isinstance(call.operation, Each) else None


def _value(call: Call) -> Any:
    return call.operation.value if isinstance(call.operation, Each) else None


def as_storage_error(error: BaseException) -> BaseException:
    """Return what a caller is told of an error: that a file cannot be used is no bug."""
    if isinstance(error, _BUGS) or not isinstance(error, sqlite3.Error | OSError | UsageError):
        return error
    return storage_error(error)


def _deliver_all(outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        outcome.deliver()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
