"""The job table's SQLite file: one thread writes, one reads.

A sync of the disk takes milliseconds, an insert microseconds. So the writer takes every operation
that is waiting, runs all in one transaction and answers after its one sync. Reads wait for no sync.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sdrest.errors import StorageUnavailableError, UsageError
from sdrest.jobs.connection import ConnectionThread, Operation
from sdrest.jobs.journal import ROLLBACK, Journal
from sdrest.jobs.schema import open_to_read, open_to_write
from sdrest.jobs.space import Reserve, may_be_full

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Database:
    """The database file at `path`.

    A file that is missing, also later, is created. Before that `create_folders` is called, which
    raises `OSError` where it must not create one; after it `on_create`, on the event loop.
    `reserve` is room for changes that free room or end a job.
    """

    def __init__(
        self,
        path: Path,
        *,
        create_folders: Callable[[], None],
        on_create: Callable[[], None],
        reserve: Reserve | None = None,
    ) -> None:
        self._path = path
        self._create_folders = create_folders
        self._on_create = on_create
        self._reserve = reserve
        self.journal = Journal.WAL
        """The journal mode of the open file."""
        self._writer = ConnectionThread(path, self._connect, writes=True)
        self._reader = ConnectionThread(path, lambda: open_to_read(path), writes=False)

    async def open(self) -> None:
        """Open or create the file and apply its migrations; raises `UsageError`."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._writer.open()
            if self.journal is Journal.WAL:  # else reads and writes would block one another
                await self._reader.open()
        except (sqlite3.Error, OSError) as error:
            await self.close()
            raise UsageError(f"Cannot use the database {self._path}: {error}.") from error

    async def close(self) -> None:
        """Finish what was called before, then close the file."""
        await self._reader.close()
        await self._writer.close()

    async def read(self, operation: Operation[T]) -> T:
        """Return what `operation` reads; it sees every write that has returned."""
        try:
            return await self._reader.call(operation)
        except StorageUnavailableError:
            # There is no reader, or the file is missing, which the writer creates.
            return await self.write(operation)

    async def write(
        self,
        operation: Operation[T],
        *,
        then: Callable[[T], object] | None = None,
        reserved: bool = False,
    ) -> T:
        """Return what `operation` returns, once its changes are on the disk.

        What it raises undoes its changes only. `then` gets the result in the order of writes, even
        if the caller was cancelled meanwhile. `reserved` changes use the reserve where the disk is
        full.
        """
        again = True  # the failure itself may have made room: the log is written from its start
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

    def _connect(self) -> sqlite3.Connection:
        is_missing = not self._path.exists()
        self._create_folders()
        connection, journal = open_to_write(self._path)
        if journal is not Journal.WAL and self.journal is Journal.WAL:
            _log.warning("%s", ROLLBACK)
        self.journal = journal
        if is_missing:
            self._loop.call_soon_threadsafe(self._on_create)
        return connection
