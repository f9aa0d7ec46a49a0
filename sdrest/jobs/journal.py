"""Choose the journal mode of the SQLite file by what its file system can do.

The write-ahead log needs memory that is shared by the file's connections (a mapped file) and POSIX
locks; some network and FUSE file systems have neither. A rollback journal needs the locks alone,
and no locks where only one connection is open. Sources: https://sqlite.org/wal.html#noshm,
https://sqlite.org/vfs.html#standard_unix_vfses.
"""

import logging
import sqlite3
import tempfile
from collections.abc import Callable
from enum import Enum, unique
from pathlib import Path

from sdrest.errors import UsageError
from sdrest.jobs.lock import locks_work

ROLLBACK = (
    "The file system of the output folder has no shared memory or locks for SQLite's write-ahead "
    "log, so the job table uses a rollback journal, which is slower."
)

_SAME_IN_EACH_MODE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_BUSY}
"""A full disk, or another program's lock: errors that another mode does not avoid."""

_log = logging.getLogger(__name__)


@unique
class Journal(Enum):
    """A mode of the file, as PRAGMA journal_mode names it."""

    WAL = "wal"
    TRUNCATE = "truncate"


def open_in_best_mode(
    path: Path, use: Callable[[sqlite3.Connection, Journal], None], *, timeout: float
) -> tuple[sqlite3.Connection, Journal]:
    """Open or create the file in the best mode that works; `use` sets it and may do more.

    With `TRUNCATE` there may be no other connection of this process. Raises what `use` raises, and
    `sqlite3.Error`. `timeout` is in seconds.
    """
    place = f"{path.as_uri()}?mode=rwc"
    if not locks_work(path.parent):
        place += "&vfs=unix-none"
    try:
        return _used(place, use, Journal.WAL, timeout), Journal.WAL
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) in _SAME_IN_EACH_MODE:
            raise
        try:
            connection = _used(place, use, Journal.TRUNCATE, timeout)
        except sqlite3.Error:
            raise error from None
        _log.debug("SQLite's write-ahead log does not work here: %s", error)
        return connection, Journal.TRUNCATE


def best_mode(folder: Path) -> Journal:
    """Return the mode that a file in `folder` would have; tries it with a temporary file.

    Raises `UsageError` where no mode works, `OSError` where nothing can be written.
    """

    def use(connection: sqlite3.Connection, journal: Journal) -> None:
        choose(connection, journal)
        connection.execute("PRAGMA user_version = 1")

    with tempfile.TemporaryDirectory(prefix=".sdrest-", dir=folder) as inside:
        try:
            connection, journal = open_in_best_mode(Path(inside, "tried.sqlite3"), use, timeout=1)
        except sqlite3.Error as error:
            raise UsageError(f"SQLite cannot use the file system of {folder}: {error}.") from error
        connection.close()
    return journal


def choose(connection: sqlite3.Connection, journal: Journal) -> None:
    """Set the mode; raises `sqlite3.OperationalError` where SQLite refuses it."""
    (mode,) = connection.execute(f"PRAGMA journal_mode = {journal.value}").fetchone()
    if mode != journal.value:
        raise sqlite3.OperationalError(f"the journal mode stays {mode}")
    if journal is Journal.TRUNCATE:
        connection.execute("PRAGMA locking_mode = NORMAL")


def _used(
    place: str,
    use: Callable[[sqlite3.Connection, Journal], None],
    journal: Journal,
    timeout: float,
) -> sqlite3.Connection:
    connection = sqlite3.connect(place, uri=True, isolation_level=None, timeout=timeout)
    try:
        if journal is Journal.TRUNCATE:  # a file left in WAL mode opens without shared memory then
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        use(connection, journal)
    except BaseException:
        connection.close()
        raise
    return connection
