"""The job table: the only SQL, with the migrations beside it."""

import asyncio
import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sdrest.errors import Failure, QueueFullError, UsageError
from sdrest.jobs import rows, sql
from sdrest.jobs.connection import Each
from sdrest.jobs.database import Database
from sdrest.jobs.durable import UNSYNCED, syncs_folders
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted, NewJob, insert_all
from sdrest.jobs.journal import ROLLBACK, Journal
from sdrest.jobs.lock import UNLOCKED, FolderLock
from sdrest.jobs.model import Job, JobKey, Status, sources
from sdrest.jobs.queue_index import QueueIndex
from sdrest.jobs.space import Reserve, may_be_full
from sdrest.params import JobType

_MAX_RECENT = 256
"""Rows kept in memory, since clients ask for the same few again and again."""

_MAX_RECENT_TEXT = 4096
"""A row with a longer prompt is not kept in memory."""

_ABOVE_ALL = 2**63 - 1
"""No job has a higher number, or more attempts."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, how many there are in each state, and where the next page begins, if anywhere."""

    jobs: Sequence[Job]
    counts: Mapping[Status, int]
    following: int | None


class Store:
    """The job table of an output folder, which one process at a time may open.

    A change is on the disk when its method returns. Where the file cannot be used, methods raise
    `StorageUnavailableError`. Methods that change a job return its row, or None where the job was
    not in a state that allows the change.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._lock = FolderLock(folders.lock)
        self._recent: OrderedDict[JobKey, Job] = OrderedDict()
        self._index = QueueIndex()
        self._writes = 0
        self.reserve = Reserve(folders.reserve)
        """Room for changes that end or delete a job, where the disk is full."""
        self._database = Database(
            folders.database,
            restore=folders.create_inside,
            lost=self._forget,
            reserve=self.reserve,
        )

    async def open(self) -> None:
        """Open or create the table; raises `UsageError` if it is in use or not ours."""
        await asyncio.to_thread(self._folders.create)
        self._lock.acquire()
        try:
            await self._open_database()
            self._index.reset(await self._database.read(_waiting))
        except BaseException:
            await self._database.close()
            self._lock.release()
            raise
        await asyncio.to_thread(self.reserve.restore)

    async def _open_database(self) -> None:
        """Open the file; on a full disk, after what is not needed any more has been removed."""
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
        await asyncio.to_thread(self.reserve.restore)  # the log is gone, which took room
        self._lock.release()

    def limitations(self) -> Sequence[str]:
        """Return what the file system of the open table cannot do, as sentences. May block."""
        return [
            *([] if self._lock.held else [UNLOCKED]),
            *([] if self._database.journal is Journal.WAL else [ROLLBACK]),
            *([] if syncs_folders(self._folders.work) else [UNSYNCED]),
        ]

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def folder_id(self) -> str:
        """The id of the output folder, while the table is open; see `FolderLock.id`."""
        return self._lock.id

    async def check_writable(self) -> None:
        """Return if a job could be added now: the file is there, and opens for writing.

        Nothing is written, so the disk need not be waited for.
        """
        await self._database.write(lambda _: None)

    async def find(self, key: JobKey) -> Job | None:
        """Return a job's row."""
        return (await self.find_or_deleted(key))[0]

    async def find_or_deleted(self, key: JobKey) -> tuple[Job | None, bool]:
        """Return a job's row, and whether the job was deleted and not asked for since."""
        if (job := self.remembered(key)) is not None:
            return job, False
        writes = self._writes
        job, is_deleted = await self._database.read(
            lambda connection: _find_or_deleted(connection, key)
        )
        if writes == self._writes:  # else it may be older than what is remembered
            self._remember(job)
        return job, is_deleted

    def remembered(self, key: JobKey) -> Job | None:
        """Return a job's row if it is one of those that are kept in memory."""
        job = self._recent.get(key)
        if job is not None:
            self._recent.move_to_end(key)
        return job

    @property
    def has_waiting(self) -> bool:
        """Whether a job waits."""
        return len(self._index) > 0

    def queue_position(self, job: Job) -> int | None:
        """Return how many jobs go before a waiting one, plus 1; None if it does not wait."""
        return self._index.queue_position(job.number)

    async def page(
        self, status: Status | None, job_type: JobType | None, *, before: int | None, limit: int
    ) -> Page:
        """Return up to `limit` jobs with numbers below `before`, newest first, and all counts."""
        statement = sql.page(status, job_type)
        values = {"before": _ABOVE_ALL if before is None else before, "limit": limit + 1}

        def page(connection: sqlite3.Connection) -> Page:
            jobs = [rows.job(row) for row in connection.execute(statement, values)]
            counts = _counts(connection)
            return Page(
                jobs[:limit],
                {status: sum(counts[status, one] for one in JobType) for status in Status},
                jobs[limit - 1].number if len(jobs) > limit else None,
            )

        return await self._database.read(page)

    async def count(self, status: Status) -> int:
        """Return how many jobs have a status."""
        return await self._database.read(lambda connection: _count(connection, status))

    async def counts(self) -> Mapping[tuple[Status, JobType], int]:
        """Return how many jobs there are of each status and type, all of them named."""
        return await self._database.read(_counts)

    async def add(
        self, addition: NewJob, *, retry_after: int, on_insert: Callable[[Job], None]
    ) -> Inserted:
        """Let a job wait, unless it is there and may not be asked for again.

        `on_insert` gets a job that this call queued, even if the caller is cancelled meanwhile.
        Raises `QueueFullError` where there is no room.
        """

        def remember(added: Inserted | None) -> None:
            if added is not None and added.fresh:
                self._wrote(added.job)
                on_insert(added.job)

        added = await self._database.write(Each(insert_all, addition), then=remember)
        if added is None:
            raise QueueFullError(limit=addition.limit, retry_after=retry_after)
        return added

    async def claim(self, *, most_attempts: int | None = None) -> Job | None:
        """Start the job that waits longest: it is IN_PROGRESS, with one attempt more.

        One that had more than `most_attempts` is left, and those behind it wait too.
        """
        most = _ABOVE_ALL if most_attempts is None else most_attempts
        values = {"now": time.time(), "most_attempts": most}
        return await self._change(sql.CLAIM, Status.IN_PROGRESS, values)

    async def list_image(self, key: JobKey, number: int, *, is_flagged: bool = False) -> Job | None:
        """Count the images of a running job up to `number`, never down.

        `is_flagged` where the safety checker replaced that image.
        """
        values = rows.names(key) | {"number": number, "is_flagged": is_flagged}
        return await self._database.write(
            lambda connection: rows.one(connection, sql.LIST_IMAGE, values),
            then=self._wrote,
            reserved=True,
        )

    async def follow_files(
        self, job: Job, target: Status, failure: Failure | None, *, size: int
    ) -> Job | None:
        """Give a job at its end the status that its files show, unless its row has changed."""
        values = rows.names(job.key) | {
            "number": job.number,
            "status": job.status,
            "target": target,
            "failure": None if failure is None else rows.dump_failure(failure),
            "bytes": size,
        }
        return await self._database.write(
            lambda connection: rows.one(connection, sql.FOLLOW_FILES, values),
            then=self._wrote,
            reserved=True,
        )

    async def complete(self, key: JobKey, *, size: int, peak_rss: int | None = None) -> Job | None:
        """End a running job well. What is kept of it takes `size` bytes.

        `peak_rss` is how much memory its script had, in bytes, if that is known.
        """
        origins = sources(Status.COMPLETE)
        return await self._finish(key, Status.COMPLETE, origins, size=size, peak_rss=peak_rss)

    async def fail(
        self, key: JobKey, failure: Failure, *, size: int, peak_rss: int | None = None
    ) -> Job | None:
        """End a running job badly."""
        origins = sources(Status.FAILED)
        return await self._finish(
            key, Status.FAILED, origins, size=size, peak_rss=peak_rss, failure=failure
        )

    async def cancel(
        self, key: JobKey, status: Status, *, size: int, peak_rss: int | None = None
    ) -> Job | None:
        """End a job that is wanted no more, if it has this status, QUEUED or IN_PROGRESS."""
        origins = sources(Status.CANCELLED) & {status}
        return await self._finish(key, Status.CANCELLED, origins, size=size, peak_rss=peak_rss)

    async def release(self, key: JobKey) -> Job | None:
        """Put a running job back in its old place of the queue; the attempt does not count."""
        return await self._change(sql.RELEASE, Status.QUEUED, rows.names(key), reserved=True)

    async def resume(self, *, max_attempts: int, failure: Failure) -> Sequence[Job]:
        """Put back what a former server was running when it died.

        A job that was started `max_attempts` times and ran alone becomes FAILED with `failure`. One
        that others ran beside is not proven to be the cause: it keeps an attempt.
        """

        def resume(connection: sqlite3.Connection) -> list[Job]:
            jobs = []
            interrupted = connection.execute(sql.INTERRUPTED).fetchall()
            for row in interrupted:
                values = {"number": row["number"], "type": row["type"], "id": row["id"]}
                if row["attempts"] < max_attempts or len(interrupted) > 1:
                    values["most_attempts"] = max_attempts - 1
                    change = sql.RESUME, _moved(Status.QUEUED, values)
                else:
                    values |= {
                        "now": time.time(),
                        "failure": rows.dump_failure(failure),
                        "bytes": 0,
                        "peak_rss": None,
                    }
                    change = sql.FINISH, _moved(Status.FAILED, values)
                jobs.append(rows.one(connection, *change))
            return [job for job in jobs if job is not None]

        return await self._database.write(
            resume, then=lambda jobs: self._wrote(*jobs), reserved=True
        )

    async def unlist_incomplete(self) -> None:
        """Forget the images of all jobs that are not at their end."""
        await self._change_all(sql.UNLIST_INCOMPLETE)

    async def incomplete(self, *, after: int = 0) -> Sequence[tuple[int, JobKey]]:
        """Return up to 1000 jobs that are not at their end, with numbers above `after`."""

        def page(connection: sqlite3.Connection) -> list[tuple[int, JobKey]]:
            found = connection.execute(sql.INCOMPLETE, {"after": after})
            return [(row["number"], rows.key(row)) for row in found]

        return await self._database.read(page)

    async def delete_incomplete(self) -> None:
        """Remove the rows of all jobs that are not at their end."""
        await self._change_all(sql.DELETE_INCOMPLETE)

    async def delete(self, key: JobKey) -> bool:
        """Remove a job that is at its end, or has no row, and remember that it was deleted.

        Returns False where it is not at its end; then nothing changes.
        """

        def delete(connection: sqlite3.Connection) -> bool:
            job = rows.one(connection, sql.FIND, rows.names(key))
            if job is not None and not job.status.final:
                return False
            connection.execute(sql.DELETE, rows.names(key))
            connection.execute(sql.MARK_DELETED, rows.names(key))
            return True

        def forget(deleted: bool) -> None:  # noqa: FBT001 (called by the database)
            self._writes += 1
            if deleted:
                self._recent.pop(key, None)

        return await self._database.write(delete, then=forget, reserved=True)

    async def deleted_with_files(self) -> Sequence[JobKey]:
        """Return the deleted jobs whose files may be there still."""
        return await self._database.read(
            lambda connection: [rows.key(row) for row in connection.execute(sql.DELETED_WITH_FILES)]
        )

    async def files_removed(self, key: JobKey) -> None:
        """Note that a deleted job's files are gone."""

        def note(connection: sqlite3.Connection) -> None:
            connection.execute(sql.FILES_REMOVED, rows.names(key))

        await self._database.write(note, reserved=True)

    async def oldest_finished(self) -> Job | None:
        """Return the job that came to its end first."""
        return await self._database.read(
            lambda connection: rows.one(connection, sql.OLDEST_FINISHED, {})
        )

    async def finished_bytes(self) -> int:
        """Return how many bytes the jobs at their end take."""

        def total(connection: sqlite3.Connection) -> int:
            (total,) = connection.execute(sql.FINISHED_BYTES).fetchone()
            return int(total)

        return await self._database.read(total)

    async def _finish(
        self,
        key: JobKey,
        target: Status,
        origins: frozenset[Status],
        *,
        size: int,
        peak_rss: int | None,
        failure: Failure | None = None,
    ) -> Job | None:
        values = rows.names(key) | {
            "target": target,
            "sources": json.dumps(list(origins)),
            "now": time.time(),
            "failure": None if failure is None else rows.dump_failure(failure),
            "bytes": size,
            "peak_rss": peak_rss,
        }
        return await self._database.write(
            lambda connection: rows.one(connection, sql.FINISH, values),
            then=self._wrote,
            reserved=True,
        )

    async def _change(
        self, statement: str, target: Status, values: dict[str, Any], *, reserved: bool = False
    ) -> Job | None:
        moved = _moved(target, values)
        return await self._database.write(
            lambda connection: rows.one(connection, statement, moved),
            then=self._wrote,
            reserved=reserved,
        )

    async def _change_all(self, statements: Sequence[str]) -> None:
        def change(connection: sqlite3.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        await self._database.write(change, then=lambda _: self._forget(), reserved=True)

    def _wrote(self, *jobs: Job | None) -> None:
        self._writes += 1
        for job in jobs:
            if job is not None:
                (self._index.join if job.status is Status.QUEUED else self._index.leave)(job.number)
            self._remember(job)

    def _forget(self) -> None:
        """Take account of a table without jobs that wait."""
        self._writes += 1
        self._recent.clear()
        self._index.reset()

    def _remember(self, job: Job | None) -> None:
        if job is None:
            return
        self._recent.pop(job.key, None)
        if len(job.params.get("prompt", "")) <= _MAX_RECENT_TEXT:
            self._recent[job.key] = job
        if len(self._recent) > _MAX_RECENT:
            self._recent.popitem(last=False)


def _moved(target: Status, values: dict[str, Any]) -> dict[str, Any]:
    return values | {"target": target, "sources": json.dumps(list(sources(target)))}


def _count(connection: sqlite3.Connection, status: Status) -> int:
    (count,) = connection.execute(sql.COUNT, {"status": status}).fetchone()
    return int(count)


def _counts(connection: sqlite3.Connection) -> dict[tuple[Status, JobType], int]:
    found = {(status, kind): jobs for status, kind, jobs in connection.execute(sql.COUNTS)}
    return {(status, kind): found.get((status, kind), 0) for status in Status for kind in JobType}


def _waiting(connection: sqlite3.Connection) -> list[int]:
    return [row["number"] for row in connection.execute(sql.WAITING)]


def _find_or_deleted(connection: sqlite3.Connection, key: JobKey) -> tuple[Job | None, bool]:
    """Return a job's row, and whether it was deleted, both as of the same moment."""
    row = connection.execute(sql.FIND_OR_DELETED, rows.names(key)).fetchone()
    return None if row["id"] is None else rows.job(row), bool(row["is_deleted"])
