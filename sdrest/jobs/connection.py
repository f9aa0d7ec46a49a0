"""A thread with a SQLite connection that runs the operations waiting for it in one transaction."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sdrest.errors import StorageUnavailableError, UsageError
from sdrest.jobs.space import may_be_full, storage_error

_BUGS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError)

_log = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]


@dataclass(slots=True)
class _Call:
    """An operation, the callbacks that get its result, and then the result or the error."""

    operation: Operation[Any]
    then: Callable[[Any], object] | None
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        """Run the operation; undo what it changed if it fails.

        Raises the operation's error where SQLite has undone the whole transaction.
        """
        connection.execute("SAVEPOINT operation")
        try:
            self.result = self.operation(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO operation")
            self.error = _as_storage_error(error)
        connection.execute("RELEASE operation")

    def answer(self) -> None:
        """Pass on the result or the error, on the event loop's thread."""
        if self.error is None and self.then is not None:
            self.then(self.result)
        if self.future.done():
            return  # the caller was cancelled
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class ConnectionThread:
    """Runs operations on the file at `path`; `writes` says whether they may change it.

    `connect` opens the file: at first, again when another file or none is at `path`, and after an
    error that left the connection in doubt.
    """

    def __init__(
        self, path: Path, connect: Callable[[], sqlite3.Connection], *, writes: bool
    ) -> None:
        self._path = path
        self._connect = connect
        self._writes = writes
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._troubled = False

    async def open(self) -> None:
        """Open the file; raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        opening = _Call(lambda _: None, None, self._loop.create_future())
        thread = threading.Thread(target=self._serve, args=(opening,), daemon=True)
        thread.start()
        await opening.future
        self._thread = thread

    async def close(self) -> None:
        """Finish what was called before, then close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._calls.put(None)
            await asyncio.to_thread(thread.join)

    async def call(self, operation: Operation[T], then: Callable[[T], object] | None = None) -> T:
        """Return what `operation` returns, raise what it raises.

        Raises `StorageUnavailableError` where the file cannot be used. `then` gets the result in
        the order in which operations ran, even if the caller was cancelled meanwhile.
        """
        if self._thread is None:
            raise StorageUnavailableError
        future: asyncio.Future[T] = self._loop.create_future()
        self._calls.put(_Call(operation, then, future))
        return await future

    # The methods below run on the thread.

    def _serve(self, opening: _Call) -> None:
        try:
            self._usable()
        except Exception as error:  # noqa: BLE001 (raised by `open`)
            opening.error = error
        self._answer([opening])
        is_open = opening.error is None
        while is_open:
            calls, is_open = self._waiting_calls()
            if calls:
                self._run(calls)
                self._log_trouble(calls)
                self._answer(calls)
        self._drop()

    def _waiting_calls(self) -> tuple[list[_Call], bool]:
        """Wait for a call; return all that are waiting, and whether more may follow."""
        calls: list[_Call] = []
        call = self._calls.get()
        with suppress(Empty):
            while call is not None:
                calls.append(call)
                call = self._calls.get_nowait()
        return calls, call is not None

    def _run(self, calls: Sequence[_Call]) -> None:
        """Run all calls in one transaction; if that fails as a whole, all calls fail."""
        try:
            connection = self._usable()
            connection.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
        except Exception as error:  # noqa: BLE001 (raised by `call`)
            self._drop()
            _fail_all(calls, error)
            return
        try:
            for call in calls:
                call.run(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (raised by `call`)
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            _fail_all(calls, error)
        if self._writes and any(may_be_full(call.error) for call in calls):
            _reuse_log(connection)

    def _usable(self) -> sqlite3.Connection:
        if self._connection is None or self._identity != _identity(self._path):
            self._drop()
            self._connection = self._connect()
            self._identity = _identity(self._path)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _log_trouble(self, calls: Sequence[_Call]) -> None:
        """Log when the file becomes unusable and when it is usable again, not each error."""
        errors = [call.error for call in calls if isinstance(call.error, StorageUnavailableError)]
        if errors and not self._troubled:
            _log.warning("The database cannot be used: %s", errors[0].__cause__)
        if self._troubled and not errors:
            _log.warning("The database can be used again")
        self._troubled = bool(errors)

    def _answer(self, calls: Sequence[_Call]) -> None:
        try:
            self._loop.call_soon_threadsafe(_answer_all, calls)
        except RuntimeError:
            _log.debug("The event loop is closed; no caller is waiting.")


def _answer_all(calls: Sequence[_Call]) -> None:
    for call in calls:
        call.answer()


def _fail_all(calls: Sequence[_Call], error: BaseException) -> None:
    for call in calls:
        call.error = _as_storage_error(error)


def _as_storage_error(error: BaseException) -> BaseException:
    """Return the error for a caller: an unusable file is not a bug."""
    if isinstance(error, _BUGS) or not isinstance(error, sqlite3.Error | OSError | UsageError):
        return error
    return storage_error(error)


def _reuse_log(connection: sqlite3.Connection) -> None:
    """Let the next change overwrite the write-ahead log, which then needs no room to grow."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
