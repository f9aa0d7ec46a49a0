"""The reads of the job table."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdrest.job_types import JobType
from sdrest.jobs import rows, sql
from sdrest.jobs.database import Database
from sdrest.jobs.model import Job, JobKey, Status

MAX_INTEGER = 2**63 - 1
"""SQLite's largest: no job has a higher number, or more attempts."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, how many jobs have each status, and the `before` of the next page, if any."""

    jobs: Sequence[Job]
    counts: Mapping[Status, int]
    following: int | None


class Queries:
    """Reads of the job table; methods raise `StorageUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        status: Status | None,
        job_type: JobType | None,
        *,
        words: Sequence[str] = (),
        favourites: bool = False,
        before: int | None,
        limit: int,
    ) -> Page:
        """Return up to `limit` jobs with numbers below `before`, newest first, and all counts.

        Every one of `words` is in the prompt, in any case; `favourites`: only jobs with one.
        """
        statement = sql.page(status, job_type, words=len(words), favourites=favourites)
        values: dict[str, Any] = {f"word{n}": word.casefold() for n, word in enumerate(words)}
        values |= {"before": MAX_INTEGER if before is None else before, "limit": limit + 1}

        def page(connection: sqlite3.Connection) -> Page:
            jobs = [rows.job(row) for row in connection.execute(statement, values)]
            counts = _counts(connection)
            return Page(
                jobs[:limit],
                {status: sum(counts[status, one] for one in JobType) for status in Status},
                jobs[limit - 1].number if len(jobs) > limit else None,
            )

        return await self._database.read(page)

    async def counts(self) -> Mapping[tuple[Status, JobType], int]:
        """Return how many jobs there are of each status and type, zeros included."""
        return await self._database.read(_counts)

    async def waiting_numbers(self) -> Sequence[int]:
        """Return the numbers of the waiting jobs, the next one first."""
        return await self._database.read(
            lambda connection: [row["number"] for row in connection.execute(sql.WAITING)]
        )

    async def incomplete(self, *, after: int = 0) -> Sequence[tuple[int, JobKey]]:
        """Return up to 1000 jobs that have not ended, with numbers above `after`."""
        return await self._database.read(
            lambda connection: [
                (row["number"], rows.key(row))
                for row in connection.execute(sql.INCOMPLETE, {"after": after})
            ]
        )

    async def deleted_with_files(self) -> Sequence[JobKey]:
        """Return the deleted jobs whose files may still be there."""
        return await self._database.read(
            lambda connection: [rows.key(row) for row in connection.execute(sql.DELETED_WITH_FILES)]
        )

    async def oldest_finished(self) -> Job | None:
        """Return the job that ended first."""
        return await self._database.read(
            lambda connection: rows.one(connection, sql.OLDEST_FINISHED, {})
        )

    async def finished_bytes(self) -> int:
        """Return how many bytes the ended jobs take."""
        return await self._database.read(
            lambda connection: int(connection.execute(sql.FINISHED_BYTES).fetchone()[0])
        )


def _counts(connection: sqlite3.Connection) -> dict[tuple[Status, JobType], int]:
    found = {(status, kind): jobs for status, kind, jobs in connection.execute(sql.COUNTS)}
    return {(status, kind): found.get((status, kind), 0) for status in Status for kind in JobType}
