"""The SQLite file is opened, checked and migrated here; the migrations are beside this module."""

import importlib.resources
import sqlite3
from pathlib import Path

from sdrest.errors import UsageError
from sdrest.jobs.journal import Journal, choose, open_in_best_mode

_APPLICATION_ID = 0x73647265
"""Marks a database as ours; the first migration sets it."""

_OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

_BUSY_SECONDS = 5.0
"""How long to wait for another program's lock, such as a backup's."""

_QUICKLY_CHECKED = 16 * 2**20
"""A smaller file is checked at every start (30 ms), a larger one only after a crash."""


def open_to_write(path: Path) -> tuple[sqlite3.Connection, Journal]:
    """Open or create the file and apply its migrations.

    Raises `UsageError` for a file of another program or version and a damaged one, and
    `sqlite3.Error`.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise UsageError(
            f"This Python has SQLite {sqlite3.sqlite_version}; 3.37 or later is needed."
        )
    unclean = any(_has_content(path.with_name(f"{path.name}{end}")) for end in ("-wal", "-journal"))

    def use(connection: sqlite3.Connection, journal: Journal) -> None:
        _define_functions(connection)
        _check_application(connection, path)
        if unclean or path.stat().st_size < _QUICKLY_CHECKED:
            _check_integrity(connection, path)
        connection.row_factory = sqlite3.Row
        choose(connection, journal)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
        connection.execute("PRAGMA journal_size_limit = 16777216")
        connection.execute("PRAGMA temp_store = MEMORY")  # a full disk has no room for its files
        _migrate(connection, path)

    return open_in_best_mode(path, use, timeout=_BUSY_SECONDS)


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the file, which the writer has created."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA query_only = ON")
    _define_functions(connection)
    return connection


def _define_functions(connection: sqlite3.Connection) -> None:
    """Add what the statements use beside SQLite's functions: its `lower` knows ASCII only."""
    connection.create_function("casefold", 1, str.casefold, deterministic=True)


def inspect(path: Path) -> None:
    """Check an existing file without a change; raises `UsageError` where it cannot be used."""
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
        _check_application(connection, path)
        _check_integrity(connection, path)
    finally:
        connection.close()


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _check_application(connection: sqlite3.Connection, path: Path) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application_id != _APPLICATION_ID:
        raise UsageError(f"{path} is a database of another program.")


def _check_integrity(connection: sqlite3.Connection, path: Path) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise UsageError(
            f"{path} is damaged ({verdict}). Put back a copy of it, or move it away: then the "
            "images are still served, but the waiting jobs are lost."
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that the file has not had; PRAGMA user_version counts them."""
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
