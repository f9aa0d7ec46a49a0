"""The job table: the only SQL, with the migrations beside it."""

import asyncio
import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sdrest.errors import Failure, FailureCode, QueueFullError
from sdrest.jobs.database import Database
from sdrest.jobs.folders import Folders
from sdrest.jobs.lock import FolderLock
from sdrest.jobs.model import Job, JobKey, Status, sources
from sdrest.params import JobType, Params

_AGAIN = frozenset(status for status in sources(Status.QUEUED) if status.final)

_MAX_RECENT = 256
"""Rows kept in memory, since clients ask for the same few again and again."""

_MAX_RECENT_TEXT = 4096
"""A row with a longer prompt is not kept in memory."""

# Every change of a status names the states from which it may come (`sources`).

_FIND = "SELECT * FROM jobs WHERE type = :type AND id = :id"

_COUNT = "SELECT coalesce((SELECT jobs FROM counts WHERE status = :status), 0)"

_ADD = """
INSERT INTO jobs (type, id, status, params, total_images, seed, created_at)
SELECT :type, :id, :target, :params, :total_images, :seed, :now
WHERE :limit > coalesce((SELECT jobs FROM counts WHERE status = :target), 0)
ON CONFLICT (type, id) DO UPDATE SET
    number = (SELECT max(number) + 1 FROM jobs), status = :target, params = :params,
    total_images = :total_images, images = 0, seed = :seed, attempts = 0, created_at = :now,
    started_at = NULL, finished_at = NULL, failure = NULL
WHERE status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

_CLAIM = """
UPDATE jobs SET status = :target, attempts = attempts + 1, started_at = :now
WHERE number = (SELECT min(number) FROM jobs WHERE status = 'QUEUED')
AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

_LIST_IMAGE = """
UPDATE jobs SET images = max(images, :number)
WHERE type = :type AND id = :id AND status = 'IN_PROGRESS'
RETURNING *
"""

_WEIGH = """
UPDATE jobs SET peak_rss = :peak_rss
WHERE type = :type AND id = :id AND status = 'IN_PROGRESS'
RETURNING *
"""

_FINISH = """
UPDATE jobs SET status = :target, finished_at = :now, failure = :failure
WHERE type = :type AND id = :id AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

_RELEASE = """
UPDATE jobs SET status = :target, attempts = attempts - 1
WHERE type = :type AND id = :id AND status = 'IN_PROGRESS'
AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

_INTERRUPTED = "SELECT * FROM jobs WHERE status = 'IN_PROGRESS' ORDER BY number"

_RESUME = """
UPDATE jobs SET status = :target
WHERE number = :number AND status IN (SELECT value FROM json_each(:sources))
RETURNING *
"""

# One statement for each state: SQLite finds a partial index by the very text of its condition.

_UNLIST_INCOMPLETE = (
    "UPDATE jobs SET images = 0 WHERE status = 'QUEUED' AND images > 0",
    "UPDATE jobs SET images = 0 WHERE status = 'IN_PROGRESS' AND images > 0",
)

_INCOMPLETE = """
SELECT number, type, id FROM jobs WHERE number > :after AND status = 'QUEUED'
UNION ALL
SELECT number, type, id FROM jobs WHERE number > :after AND status = 'IN_PROGRESS'
ORDER BY number LIMIT 1000
"""

_DELETE_INCOMPLETE = (
    "DELETE FROM jobs WHERE status = 'QUEUED'",
    "DELETE FROM jobs WHERE status = 'IN_PROGRESS'",
)


def may_be_asked_again(status: Status) -> bool:
    """Whether the request of a job that stands so lets it wait again."""
    return status in _AGAIN


@dataclass(frozen=True, slots=True)
class Added:
    """The row of a submission; `fresh` if it waits because of this one."""

    job: Job
    fresh: bool


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
        self._writes = 0
        self._database = Database(
            folders.database, restore=folders.create_inside, lost=self._forget
        )

    async def open(self) -> None:
        """Open or create the table; raises `UsageError` if it is in use or not ours."""
        await asyncio.to_thread(self._folders.create)
        self._lock.acquire()
        try:
            await self._database.open()
        except BaseException:
            self._lock.release()
            raise

    async def close(self) -> None:
        """Close the table."""
        await self._database.close()
        self._lock.release()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def find(self, key: JobKey) -> Job | None:
        """Return a job's row."""
        if (job := self.remembered(key)) is not None:
            return job
        writes = self._writes
        job = await self._database.read(lambda connection: _one(connection, _FIND, _names(key)))
        if writes == self._writes:  # else it may be older than what is remembered
            self._remember(job)
        return job

    def remembered(self, key: JobKey) -> Job | None:
        """Return a job's row if it is one of those that are kept in memory."""
        job = self._recent.get(key)
        if job is not None:
            self._recent.move_to_end(key)
        return job

    async def count(self, status: Status) -> int:
        """Return how many jobs have a status."""
        return await self._database.read(lambda connection: _count(connection, status))

    async def add(
        self,
        key: JobKey,
        params: Params,
        *,
        seed: int,
        limit: int,
        retry_after: int,
        instead: Job | None,
    ) -> Added:
        """Let a job wait, unless it is there and may not be asked for again.

        Where there is no row, `instead` is taken for the job, if given. Raises `QueueFullError`
        where `limit` jobs wait already.
        """
        values = {
            **_names(key),
            "target": Status.QUEUED,
            "sources": json.dumps(list(_AGAIN)),
            "params": json.dumps(params.dump(), ensure_ascii=False, separators=(",", ":")),
            "total_images": params.total_images,
            "seed": seed,
            "limit": limit,
            "now": time.time(),
        }

        def add(connection: sqlite3.Connection) -> Added | None:
            if instead is not None and _one(connection, _FIND, _names(key)) is None:
                return Added(instead, fresh=False)
            if (job := _one(connection, _ADD, values)) is not None:
                return Added(job, fresh=True)
            known = _one(connection, _FIND, _names(key))
            if known is None or may_be_asked_again(known.status):
                return None  # there is no room
            return Added(known, fresh=False)

        def remember(added: Added | None) -> None:
            if added is not None and added.fresh:
                self._wrote(added.job)

        added = await self._database.write(add, then=remember)
        if added is None:
            raise QueueFullError(limit=limit, retry_after=retry_after)
        return added

    async def claim(self) -> Job | None:
        """Start the job that waits longest: it is IN_PROGRESS, with one attempt more."""
        return await self._change(_CLAIM, Status.IN_PROGRESS, {"now": time.time()})

    async def list_image(self, key: JobKey, number: int) -> Job | None:
        """Count the images of a running job up to `number`, never down."""
        values = _names(key) | {"number": number}
        return await self._database.write(
            lambda connection: _one(connection, _LIST_IMAGE, values), then=self._wrote
        )

    async def weigh(self, key: JobKey, peak_rss: int) -> Job | None:
        """Note how much memory a running job's script had, in bytes."""
        values = _names(key) | {"peak_rss": peak_rss}
        return await self._database.write(
            lambda connection: _one(connection, _WEIGH, values), then=self._wrote
        )

    async def complete(self, key: JobKey) -> Job | None:
        """End a running job well."""
        values = _names(key) | {"now": time.time(), "failure": None}
        return await self._change(_FINISH, Status.COMPLETE, values)

    async def fail(self, key: JobKey, failure: Failure) -> Job | None:
        """End a running job badly."""
        values = _names(key) | {"now": time.time(), "failure": _dump_failure(failure)}
        return await self._change(_FINISH, Status.FAILED, values)

    async def release(self, key: JobKey) -> Job | None:
        """Put a running job back in its old place of the queue; the attempt does not count."""
        return await self._change(_RELEASE, Status.QUEUED, _names(key))

    async def resume(self, *, max_attempts: int, failure: Failure) -> Sequence[Job]:
        """Put back what a former server was running when it died.

        A job that was started `max_attempts` times becomes FAILED with `failure` instead.
        """

        def resume(connection: sqlite3.Connection) -> list[Job]:
            jobs = []
            for row in connection.execute(_INTERRUPTED).fetchall():
                values = {"number": row["number"], "type": row["type"], "id": row["id"]}
                if row["attempts"] < max_attempts:
                    change = _RESUME, _moved(Status.QUEUED, values)
                else:
                    values |= {"now": time.time(), "failure": _dump_failure(failure)}
                    change = _FINISH, _moved(Status.FAILED, values)
                jobs.append(_one(connection, *change))
            return [job for job in jobs if job is not None]

        return await self._database.write(resume, then=lambda jobs: self._wrote(*jobs))

    async def unlist_incomplete(self) -> None:
        """Forget the images of all jobs that are not at their end."""
        await self._change_all(_UNLIST_INCOMPLETE)

    async def incomplete(self, *, after: int = 0) -> Sequence[tuple[int, JobKey]]:
        """Return up to 1000 jobs that are not at their end, with numbers above `after`."""

        def page(connection: sqlite3.Connection) -> list[tuple[int, JobKey]]:
            rows = connection.execute(_INCOMPLETE, {"after": after})
            return [(row["number"], JobKey(JobType(row["type"]), row["id"])) for row in rows]

        return await self._database.read(page)

    async def delete_incomplete(self) -> None:
        """Remove the rows of all jobs that are not at their end."""
        await self._change_all(_DELETE_INCOMPLETE)

    async def _change(self, statement: str, target: Status, values: dict[str, Any]) -> Job | None:
        moved = _moved(target, values)
        return await self._database.write(
            lambda connection: _one(connection, statement, moved), then=self._wrote
        )

    async def _change_all(self, statements: Sequence[str]) -> None:
        def change(connection: sqlite3.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        await self._database.write(change, then=lambda _: self._forget())

    def _wrote(self, *jobs: Job | None) -> None:
        self._writes += 1
        for job in jobs:
            self._remember(job)

    def _forget(self) -> None:
        self._writes += 1
        self._recent.clear()

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


def _names(key: JobKey) -> dict[str, Any]:
    return {"type": key.type, "id": key.id}


def _count(connection: sqlite3.Connection, status: Status) -> int:
    (count,) = connection.execute(_COUNT, {"status": status}).fetchone()
    return int(count)


def _one(connection: sqlite3.Connection, statement: str, values: dict[str, Any]) -> Job | None:
    # All rows are fetched: a statement with RETURNING has done its work only at its end.
    rows = connection.execute(statement, values).fetchall()
    return _job(rows[0]) if rows else None


def _job(row: sqlite3.Row) -> Job:
    return Job(
        key=JobKey(JobType(row["type"]), row["id"]),
        status=Status(row["status"]),
        params=json.loads(row["params"]),
        total_images=row["total_images"],
        images=row["images"],
        seed=row["seed"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        failure=_load_failure(row["failure"]),
        peak_rss=row["peak_rss"],
    )


def _dump_failure(failure: Failure) -> str:
    return json.dumps(
        {"code": failure.code, "message": failure.message, "details": dict(failure.details)}
    )


def _load_failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    failure = json.loads(text)
    return Failure(FailureCode(failure["code"]), failure["message"], failure["details"])
