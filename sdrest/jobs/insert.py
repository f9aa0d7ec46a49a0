"""Submissions become rows: all that come together in one statement. Runs where SQL runs."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdrest.jobs import rows, sql
from sdrest.jobs.model import Job, JobKey, Status, sources

_AGAIN = frozenset(status for status in sources(Status.QUEUED) if status.final)

_AGAIN_JSON = json.dumps(sorted(_AGAIN))

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def can_requeue(status: Status) -> bool:
    """Whether the request of a job that stands so lets it wait again."""
    return status in _AGAIN


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that shall wait, unless `limit` jobs wait already.

    `params` are JSON values under the API's names. Where there is no row, `instead` is taken for
    the job, if given.
    """

    key: JobKey
    params: Mapping[str, Any]
    total_images: int
    seed: int
    limit: int
    instead: Job | None = None


@dataclass(frozen=True, slots=True)
class Inserted:
    """The row of a submission; `fresh` if it waits because of this one."""

    job: Job
    fresh: bool


def insert_all(
    connection: sqlite3.Connection, additions: Sequence[NewJob]
) -> Sequence[Inserted | None]:
    """Let jobs wait, in this order; None stands for one for which there is no room.

    One that is there is returned as it is, unless it may be asked for again.
    """
    (waiting,) = connection.execute(sql.COUNT, {"status": Status.QUEUED}).fetchone()
    room = min(addition.limit for addition in additions) - waiting
    if room < len(additions) > 1:  # which of them are new has to be seen one by one
        return [added for addition in additions for added in insert_all(connection, [addition])]
    now = time.time()
    others = [_other(connection, addition) for addition in additions]
    wanted = [a for a, other in zip(additions, others, strict=True) if other is None]
    numbers = _insert(connection, wanted, now) if room > 0 and wanted else {}
    return [
        other or _added(connection, addition, numbers, now)
        for addition, other in zip(additions, others, strict=True)
    ]


def _other(connection: sqlite3.Connection, addition: NewJob) -> Inserted | None:
    """Return the job that is taken instead: where there is no row, nor a note of its deletion."""
    if addition.instead is None:
        return None
    row = connection.execute(sql.FIND_OR_DELETED, rows.names(addition.key)).fetchone()
    answered = row["id"] is None and not row["is_deleted"]
    return Inserted(addition.instead, fresh=False) if answered else None


def _insert(
    connection: sqlite3.Connection, additions: Sequence[NewJob], now: float
) -> dict[tuple[str, str], int]:
    """Write the rows; return the numbers of those that wait now, by type and id.

    A step of a statement lets other threads of Python run, and has to wait for them afterwards;
    so there are few steps, however many rows.
    """
    (last,) = connection.execute(sql.LAST_NUMBER).fetchone()
    values = {
        "jobs": _encode(
            [[a.key.type, a.key.id, _encode(a.params), a.total_images, a.seed] for a in additions]
        ),
        "target": Status.QUEUED,
        "sources": _AGAIN_JSON,
        "now": now,
    }
    connection.execute(sql.ADD, values)
    (added,) = connection.execute(sql.ADDED, {"last": last}).fetchone()
    return {(job_type, job_id): number for job_type, job_id, number in json.loads(added)}


def _added(
    connection: sqlite3.Connection,
    addition: NewJob,
    numbers: dict[tuple[str, str], int],
    now: float,
) -> Inserted | None:
    key = addition.key
    number = numbers.pop((key.type, key.id), None)  # the first of equal ones is fresh
    if number is not None:
        job = Job(
            key=key,
            status=Status.QUEUED,
            params=addition.params,
            total_images=addition.total_images,
            images=0,
            seed=addition.seed,
            attempts=0,
            created_at=now,
            number=number,
        )
        return Inserted(job, fresh=True)
    known = rows.one(connection, sql.FIND, rows.names(key))
    if known is None or can_requeue(known.status):
        return None
    return Inserted(known, fresh=False)
