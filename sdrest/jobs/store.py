"""The job table of an output folder."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from cachetools import LRUCache

from sdrest.engine.base import Need
from sdrest.errors import Failure, QueueFullError, UsageError
from sdrest.jobs import rows, sql, transactions
from sdrest.jobs.database import Database
from sdrest.jobs.durable import UNSYNCED, syncs_folders
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted, NewJob, insert, insert_all
from sdrest.jobs.journal import ROLLBACK, Journal
from sdrest.jobs.lock import UNLOCKED, FolderLock
from sdrest.jobs.model import Job, JobKey, Status
from sdrest.jobs.queries import MAX_INTEGER, Queries
from sdrest.jobs.queue_index import QueueIndex
from sdrest.jobs.space import Reserve, may_be_full
from sdrest.jobs.webhooks import Deliveries

_CACHE_SIZE = 2**20
"""Bound of the cached rows, each counted as 1 KiB and the characters of its prompt."""


class Store(Queries):
    """The job table of an output folder, which one process at a time may open.

    A change is on the disk when its method returns. Where the file cannot be used, methods raise
    `StorageUnavailableError`. Methods that change a job return its row, or None where the job's
    status does not allow the change.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = FolderLock(folders.lock)
        self._index = QueueIndex()
        self._written: LRUCache[JobKey, Job] = LRUCache(
            _CACHE_SIZE, getsizeof=lambda job: 1024 + len(job.params.get("prompt", ""))
        )
        """The rows written last. Reads do not add to it: they could return out of order."""
        self.reserve = Reserve(folders.reserve)
        """Room for changes that end or delete a job, where the disk is full."""
        super().__init__(
            Database(
                folders.database,
                create_folders=folders.create_inside,
                on_create=self._forget,
                reserve=self.reserve,
            )
        )
        self.deliveries = Deliveries(self._database)

    async def open(self) -> None:
        """Open or create the table; raises `UsageError` if it is in use or not ours."""
        await asyncio.to_thread(self._folders.create)
        self._lock.acquire()
        try:
            await self._open_database()
            self._index.reset(await self.waiting_numbers())
        except BaseException:
            await self._database.close()
            self._lock.release()
            raise
        await asyncio.to_thread(self.reserve.restore)

    async def _open_database(self) -> None:
        """Open the file; on a full disk, after removing the reserve and stale files."""
        try:
            await self._database.open()
        except UsageError as error:
            if not may_be_full(error):
                raise
            self.reserve.release_all()
            await asyncio.to_thread(self._folders.empty)
            await self._database.open()

    async def close(self) -> None:
        """Close the table."""
        await self._database.close()
        await asyncio.to_thread(self.reserve.restore)  # SQLite has removed its log, which took room
        self._lock.release()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def limitations(self) -> Sequence[str]:
        """Return what the file system of the open table cannot do, as sentences. May block."""
        return [
            *([] if self._lock.held else [UNLOCKED]),
            *([] if self._database.journal is Journal.WAL else [ROLLBACK]),
            *([] if syncs_folders(self._folders.work) else [UNSYNCED]),
        ]

    @property
    def folder_id(self) -> str:
        """The id of the output folder, while the table is open; see `FolderLock.id`."""
        return self._lock.id

    async def check_writable(self) -> None:
        """Raise unless a job could be added now; writes nothing, so waits for no disk."""
        await self._database.write(lambda _: None)

    def remembered(self, key: JobKey) -> Job | None:
        """Return a job's row if it is cached."""
        return self._written.get(key)

    async def find(self, key: JobKey) -> Job | None:
        """Return a job's row."""
        return (await self.find_or_deleted(key))[0]

    async def find_or_deleted(self, key: JobKey) -> tuple[Job | None, bool]:
        """Return a job's row, and whether the job was deleted and not submitted since."""
        if (job := self.remembered(key)) is not None:
            return job, False
        return await self._database.read(lambda connection: rows.find_or_deleted(connection, key))

    @property
    def has_waiting(self) -> bool:
        """Whether a job is waiting."""
        return len(self._index) > 0

    def queue_position(self, job: Job) -> int | None:
        """Return a waiting job's place in the queue, from 1; None if it is not waiting."""
        return self._index.queue_position(job.number)

    async def add(
        self, new: NewJob, *, retry_after: int, on_insert: Callable[[Job], None]
    ) -> Inserted:
        """Queue a job, unless it is there and cannot be requeued.

        `on_insert` gets a job that this call queued, even if the caller is cancelled meanwhile.
        Raises `QueueFullError` where there is no room.
        """

        def note(inserted: Inserted | None) -> None:
            if inserted is not None and inserted.job is not new.instead:
                self._note(inserted.job)
                if inserted.fresh:
                    on_insert(inserted.job)

        inserted = await self._database.write(lambda connection: insert(connection, new), then=note)
        if inserted is None:
            raise QueueFullError(limit=new.limit, retry_after=retry_after)
        return inserted

    async def add_all(
        self, news: Sequence[NewJob], *, retry_after: int, on_insert: Callable[[Job], None]
    ) -> Sequence[Job]:
        """Queue jobs under keys that no job has or had, all or none; otherwise as `add`."""

        def note(jobs: Sequence[Job]) -> None:
            self._note(*jobs)
            for job in jobs:
                on_insert(job)

        return await self._database.write(
            lambda connection: insert_all(connection, news, retry_after=retry_after), then=note
        )

    async def claim(
        self, needs: Iterable[Need] | None = None, *, most_attempts: int | None = None
    ) -> Job | None:
        """Start the job that has waited longest: it is IN_PROGRESS, with one attempt more.

        With `needs`, of the jobs with one of them. After more than `most_attempts` none is started.
        """
        most = MAX_INTEGER if most_attempts is None else most_attempts
        return await self._change(*rows.claim(needs, most_attempts=most), reserved=False)

    async def list_image(
        self,
        key: JobKey,
        number: int,
        *,
        is_flagged: bool = False,
        attention: str = "",
        size: tuple[int, int] | None = None,
    ) -> Job | None:
        """Count the images of a running job up to `number`, never down; see `ImageReady`."""
        values = {"number": number, "is_flagged": is_flagged, "attention": attention}
        sides = dict(zip(("width", "height"), size or (None, None), strict=True))
        return await self._change(sql.LIST_IMAGE, rows.names(key) | values | sides)

    async def mark_favourite(self, key: JobKey, number: int, *, is_favourite: bool) -> Job | None:
        """Make an image of a job a favourite, or no longer; None for a job without a row."""
        values = rows.names(key) | {"number": number, "is_favourite": is_favourite}
        return await self._change(sql.MARK_FAVOURITE, values)

    async def complete(self, key: JobKey, *, size: int, peak_rss: int | None = None) -> Job | None:
        """Make a running job COMPLETE. Its files take `size` bytes.

        `peak_rss` is the most memory of its script, in bytes, if known.
        """
        values = rows.ended(key, size=size, peak_rss=peak_rss)
        return await self._change(sql.FINISH, rows.moved(values, Status.COMPLETE))

    async def fail(
        self, key: JobKey, failure: Failure, *, size: int, peak_rss: int | None = None
    ) -> Job | None:
        """Make a running job FAILED."""
        values = rows.ended(key, size=size, peak_rss=peak_rss, failure=failure)
        return await self._change(sql.FINISH, rows.moved(values, Status.FAILED))

    async def cancel(
        self, key: JobKey, status: Status, *, size: int, peak_rss: int | None = None
    ) -> Job | None:
        """Make a job CANCELLED if it has this status, QUEUED or IN_PROGRESS."""
        values = rows.ended(key, size=size, peak_rss=peak_rss)
        return await self._change(sql.FINISH, rows.moved(values, Status.CANCELLED, {status}))

    async def release(self, key: JobKey) -> Job | None:
        """Put a running job back in its old place of the queue; the attempt does not count."""
        return await self._change(sql.RELEASE, rows.moved(rows.names(key), Status.QUEUED))

    async def follow_files(
        self, job: Job, target: Status, failure: Failure | None, *, size: int
    ) -> Job | None:
        """Give an ended job the status that its files show, unless its row has changed."""
        values = rows.names(job.key) | {
            "number": job.number,
            "status": job.status,
            "target": target,
            "failure": rows.dump_failure(failure),
            "bytes": size,
        }
        return await self._change(sql.FOLLOW_FILES, values)

    async def delete(self, key: JobKey) -> bool:
        """Remove a job that has ended, or has no row, and remember that it was deleted.

        Returns False, and changes nothing, where the job has not ended.
        """
        return await self._database.write(
            lambda connection: transactions.delete(connection, key),
            then=lambda is_deleted: self._written.pop(key, None) if is_deleted else None,
            reserved=True,
        )

    async def files_removed(self, key: JobKey) -> None:
        """Note that a deleted job's files are gone."""
        await self._database.write(
            lambda connection: connection.execute(sql.FILES_REMOVED, rows.names(key)).close(),
            reserved=True,
        )

    async def resume(self, *, max_attempts: int | None, failure: Failure) -> Sequence[Job]:
        """Put back the jobs that the previous server was running when it died.

        One that was started `max_attempts` times and ran alone becomes FAILED with `failure`; with
        None no job was the cause. Where others ran beside it, it is not proven to be the cause.
        """
        return await self._database.write(
            lambda connection: transactions.resume(
                connection, max_attempts=max_attempts, failure=failure
            ),
            then=lambda jobs: self._note(*jobs),
            reserved=True,
        )

    async def unlist_incomplete(self) -> None:
        """Forget the images of all jobs that have not ended."""
        await self._change_all(sql.UNLIST_INCOMPLETE)

    async def delete_incomplete(self) -> None:
        """Remove the rows of all jobs that have not ended."""
        await self._change_all(sql.DELETE_INCOMPLETE)

    async def _change(
        self, statement: str, values: dict[str, Any], *, reserved: bool = True
    ) -> Job | None:
        return await self._database.write(
            lambda connection: rows.one(connection, statement, values),
            then=self._note,
            reserved=reserved,
        )

    async def _change_all(self, statements: Sequence[str]) -> None:
        await self._database.write(
            lambda connection: transactions.execute_all(connection, statements),
            then=lambda _: self._forget(),
            reserved=True,
        )

    def _note(self, *jobs: Job | None) -> None:
        """Take account of rows that were written."""
        for job in filter(None, jobs):
            (self._index.join if job.status is Status.QUEUED else self._index.leave)(job.number)
            self._written[job.key] = job

    def _forget(self) -> None:
        """Take account of a table without waiting jobs."""
        self._written.clear()
        self._index.reset()
