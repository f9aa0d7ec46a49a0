"""One SQLite connection on one thread, whose commits are shared by what waits together.

A sync of the disk takes milliseconds, an insert microseconds. Operations that arrive while a commit
is under way wait for the next one together, so a burst costs few syncs and no operation waits for
more than two.
"""

import asyncio
import importlib.resources
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sdrest.errors import StorageUnavailableError, UsageError

_APPLICATION_ID = 0x73647265
"""Marks a database as ours; the first migration sets it."""

_OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

_MAX_GROUP = 1000
"""Operations that share one commit at most."""

_BUSY_SECONDS = 5.0
"""How long the lock of somebody else, such as a backup, is waited for."""

_log = logging.getLogger(__name__)

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True, slots=True)
class _Call:
    operation: Operation[Any]
    then: Callable[[Any], None] | None
    future: asyncio.Future[Any]
    writes: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    call: _Call
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        """Hand the result over, on the event loop's thread."""
        if self.error is None and self.call.then is not None:
            self.call.then(self.result)
        if self.call.future.done():
            return  # its caller was cancelled
        if self.error is None:
            self.call.future.set_result(self.result)
        else:
            self.call.future.set_exception(self.error)


class Database:
    """Runs operations on the database file at `path`.

    `restore` makes the folders of a file that vanished while it was open (it may raise `OSError`:
    then the database is unavailable); `lost` is called on the event loop when a new file took the
    place of the old one.
    """

    def __init__(
        self, path: Path, *, restore: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        self._path = path
        self._restore = restore
        self._lost = lost
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    async def open(self) -> None:
        """Open or create the file and bring its tables up to date; raises `UsageError`."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._serve, args=(opened,), name="sdrest-database", daemon=True
        )
        self._thread.start()
        await opened

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._calls.put(None)
            await asyncio.to_thread(thread.join)

    async def read(self, operation: Operation[T], *, then: Callable[[T], None] | None = None) -> T:
        """Return what `operation` returns; see `write`. It sees only what was committed."""
        return await self._call(operation, then, writes=False)

    async def write(self, operation: Operation[T], *, then: Callable[[T], None] | None = None) -> T:
        """Return what `operation` returns, once its changes are on the disk.

        What it raises undoes its changes and is raised here; where the file cannot be used that is
        a `StorageUnavailableError`. `then` gets the result in the order in which operations ran,
        even if the caller was cancelled meanwhile.
        """
        return await self._call(operation, then, writes=True)

    async def _call(
        self, operation: Operation[T], then: Callable[[T], None] | None, *, writes: bool
    ) -> T:
        if self._thread is None:
            raise StorageUnavailableError
        future: asyncio.Future[T] = self._loop.create_future()
        self._calls.put(_Call(operation, then, future, writes))
        return await future

    # Everything below runs on the thread.

    def _serve(self, opened: asyncio.Future[None]) -> None:
        try:
            self._connect()
        except (sqlite3.Error, OSError) as error:
            refusal = UsageError(f"Cannot use the database {self._path}: {error}.")
            self._later(opened.set_exception, refusal)
            return
        except UsageError as error:
            self._later(opened.set_exception, error)
            return
        self._later(opened.set_result, None)
        more = True
        while more:
            group, more = self._next_group()
            reads = [call for call in group if not call.writes]
            writes = [call for call in group if call.writes]
            if reads:
                self._run(reads, self._read)
            if writes:
                self._run(writes, self._write)
        if self._connection is not None:
            self._connection.close()

    def _next_group(self) -> tuple[list[_Call], bool]:
        """Wait for a call; return it with those that wait behind it, and whether to go on."""
        group: list[_Call] = []
        call = self._calls.get()
        while call is not None:
            group.append(call)
            if len(group) == _MAX_GROUP:
                return group, True
            try:
                call = self._calls.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _run(
        self,
        calls: list[_Call],
        run: Callable[[sqlite3.Connection, Iterable[_Call]], list[_Outcome]],
    ) -> None:
        try:
            outcomes = run(self._usable_connection(), calls)
        except Exception as error:  # noqa: BLE001 (told to every caller; the thread lives on)
            outcomes = [_Outcome(call, error=_translated(error)) for call in calls]
        self._later(_tell, outcomes)

    @staticmethod
    def _read(connection: sqlite3.Connection, calls: Iterable[_Call]) -> list[_Outcome]:
        outcomes = []
        for call in calls:
            try:
                outcomes.append(_Outcome(call, call.operation(connection)))
            except Exception as error:  # noqa: BLE001 (told to the caller)
                outcomes.append(_Outcome(call, error=_translated(error)))
        return outcomes

    @staticmethod
    def _write(connection: sqlite3.Connection, calls: Iterable[_Call]) -> list[_Outcome]:
        outcomes = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for call in calls:
                connection.execute("SAVEPOINT operation")
                try:
                    outcomes.append(_Outcome(call, call.operation(connection)))
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite has rolled back everything: a full disk, an I/O error
                    connection.execute("ROLLBACK TO operation")
                    outcomes.append(_Outcome(call, error=_translated(error)))
                connection.execute("RELEASE operation")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        return outcomes

    def _usable_connection(self) -> sqlite3.Connection:
        """Return the connection, a new one if the file is not the one that was opened."""
        if self._connection is None or self._identity != _identity(self._path):
            self._disconnect()
            self._restore()
            self._connect()
            self._later(self._lost)
        assert self._connection is not None  # noqa: S101 (for the type checker)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> None:
        self._connection = _opened(self._path)
        self._identity = _identity(self._path)

    def _later(self, callback: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop was closed: nobody waits any more
            _log.debug("The event loop is closed")


def _tell(outcomes: Iterable[_Outcome]) -> None:
    for outcome in outcomes:
        outcome.tell()


def _translated(error: BaseException) -> BaseException:
    """Return what a caller is told: a file that cannot be used is no fault of the caller."""
    if not isinstance(error, sqlite3.Error | OSError | UsageError):
        return error
    _log.warning("The database cannot be used: %s", error)
    unavailable = StorageUnavailableError()
    unavailable.__cause__ = error
    return unavailable


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _opened(path: Path) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise UsageError(
            f"This Python has SQLite {sqlite3.sqlite_version}; 3.37 or later is needed."
        )
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        _check_ours(connection, path)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
        connection.execute("PRAGMA journal_size_limit = 16777216")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != _APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program.")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that the file has not seen; PRAGMA user_version counts them."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    folder = importlib.resources.files("sdrest.jobs") / "migrations"
    scripts = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    if version > len(scripts):
        raise UsageError(
            f"{path} was written by a later version of sdrest (its tables have version {version}, "
            f"this one knows {len(scripts)}). Update sdrest, or use another output folder."
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        statements = script.read_text("utf-8")
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{statements}\nPRAGMA user_version = {number};\nCOMMIT;"
        )
