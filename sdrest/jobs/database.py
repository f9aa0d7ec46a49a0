"""The SQLite file: how it is opened, brought up to date, read and written.

A sync of the disk takes milliseconds, an insert microseconds. Writes that arrive while a commit is
under way wait for the next one together, so a burst costs few syncs and no write waits for more
than two. Reads have a connection of their own and wait for no sync.
"""

import asyncio
import importlib.resources
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sdrest.errors import StorageUnavailableError, UsageError
from sdrest.jobs.connection import Call, Connection, Operation, Outcome, as_storage_error, run_all
from sdrest.jobs.journal import ROLLBACK, Journal, choose, open_in_best_mode
from sdrest.jobs.space import Reserve, may_be_full

_APPLICATION_ID = 0x73647265
"""Marks a database as ours; the first migration sets it."""

_OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

_BUSY_SECONDS = 5.0
"""How long the lock of somebody else, such as a backup, is waited for."""

_QUICKLY_CHECKED = 16 * 2**20
"""A smaller file is checked at every start (30 ms), a larger one after a crash only."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Database:
    """The database file at `path`.

    A file that vanished while it was open is made anew in the folders that `restore` makes (it
    raises `OSError` if they are not to be made); then `lost` is called on the event loop.
    `reserve` is room for changes that free room, or that end a job. `journal` is how the file keeps
    changes undoable, once it is open.
    """

    def __init__(
        self,
        path: Path,
        *,
        restore: Callable[[], None],
        lost: Callable[[], None],
        reserve: Reserve | None = None,
    ) -> None:
        self._path = path
        self._reserve = reserve
        self._restore = restore
        self._lost = lost
        self.journal = Journal.WAL
        self._writer = Connection(
            path,
            connect=self._connect,
            reconnect=self._reopen,
            run=_write_together,
        )
        self._reader = Connection(
            path,
            connect=lambda: _open_to_read(path),
            reconnect=lambda: _open_to_read(path),
            run=_read_each,
        )

    async def open(self) -> None:
        """Open or create the file and bring its tables up to date; raises `UsageError`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._writer.open()
            if self.journal is Journal.WAL:  # else reads and writes would block one another
                await self._reader.open()
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise UsageError(f"Cannot use the database {self._path}: {error}.") from error

    async def close(self) -> None:
        """Finish what was asked for, then close the file."""
        await self._reader.close()
        await self._writer.close()

    async def read(self, operation: Operation[T]) -> T:
        """Return what `operation` reads; it sees every write that has returned."""
        try:
            return await self._reader.call(operation)
        except StorageUnavailableError:
            # Without a reader; or the file is gone, and the writer makes another one.
            return await self.write(operation)

    async def write(
        self,
        operation: Operation[T],
        *,
        then: Callable[[T], None] | None = None,
        reserved: bool = False,
    ) -> T:
        """Return what `operation` returns, once its changes are on the disk.

        What it raises undoes its changes and nobody else's; it may be run again if another one
        failed, and should do little else than SQL. `then` gets the result in the order of
        writes, even if the caller was cancelled meanwhile. `reserved` changes use the reserve where
        the disk is full.
        """
        again = True  # the failure itself may have made room: see `_reuse_log`
        while True:
            try:
                return await self._writer.call(operation, then)
            except StorageUnavailableError as error:
                if not (reserved and may_be_full(error)):
                    raise
                if not (await self._release() or again):
                    raise
                again = False

    async def _release(self) -> bool:
        if self._reserve is None:
            return False
        return await asyncio.to_thread(self._reserve.release)

    def _reopen(self) -> sqlite3.Connection:
        existed = self._path.exists()
        self._restore()
        connection = self._connect()
        if not existed:
            self._loop.call_soon_threadsafe(self._lost)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection, journal = _open(self._path)
        if journal is not Journal.WAL and self.journal is Journal.WAL:
            _log.warning("%s", ROLLBACK)
        self.journal = journal
        return connection


def _read_each(connection: sqlite3.Connection, calls: Sequence[Call]) -> list[Outcome]:
    outcomes = []
    for call in calls:
        try:
            outcomes.append(Outcome(call, call.operation(connection)))
        except Exception as error:  # noqa: BLE001 (told to the caller)
            outcomes.append(Outcome(call, error=as_storage_error(error)))
    return outcomes


def _write_together(connection: sqlite3.Connection, calls: Sequence[Call]) -> list[Outcome]:
    """Run all calls in one transaction; where that fails, each in its own, to tell whose fault."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = run_all(connection, calls)
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 (told to the caller)
        if connection.in_transaction:  # SQLite may have undone it already: a full disk
            connection.execute("ROLLBACK")
        if may_be_full(error):
            _reuse_log(connection)
        if len(calls) == 1:
            return [Outcome(calls[0], error=as_storage_error(error))]
        return [outcome for call in calls for outcome in _write_together(connection, [call])]
    return outcomes


def _reuse_log(connection: sqlite3.Connection) -> None:
    """Let the next change write over the write-ahead log, which then needs no room to grow."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()


def _open(path: Path) -> tuple[sqlite3.Connection, Journal]:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise UsageError(
            f"This Python has SQLite {sqlite3.sqlite_version}; 3.37 or later is needed."
        )
    unclean = any(_has_content(path.with_name(f"{path.name}{end}")) for end in ("-wal", "-journal"))

    def use(connection: sqlite3.Connection, journal: Journal) -> None:
        _check_ours(connection, path)
        if unclean or path.stat().st_size < _QUICKLY_CHECKED:
            _check_whole(connection, path)
        connection.row_factory = sqlite3.Row
        choose(connection, journal)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
        connection.execute("PRAGMA journal_size_limit = 16777216")
        connection.execute("PRAGMA temp_store = MEMORY")  # what undoes a large insert is no file
        _migrate(connection, path)

    return open_in_best_mode(path, use, timeout=_BUSY_SECONDS)


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _open_to_read(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA query_only = ON")
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != _APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program.")


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise UsageError(
            f"{path} is damaged ({verdict}). Put back a copy of it, or move it away: then the "
            "images are still served, but what waited is lost."
        )


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


def inspect(path: Path) -> None:
    """Look at an existing file, changing nothing; raises `UsageError` where it is of no use."""
    try:
        try:
            _inspect(path, "mode=ro")
        except sqlite3.OperationalError:
            _inspect(path, "immutable=1")  # without shared memory or locks: see `journal`
    except sqlite3.Error as error:
        raise UsageError(f"Cannot use the database {path}: {error}.") from error


def _inspect(path: Path, options: str) -> None:
    connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, timeout=_BUSY_SECONDS)
    try:
        _check_ours(connection, path)
        _check_whole(connection, path)
    finally:
        connection.close()
