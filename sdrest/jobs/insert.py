"""A request becomes a row of the job table. Runs on the database's thread."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdrest.errors import QueueFullError
from sdrest.jobs import rows, sql
from sdrest.jobs.model import Job, JobKey, Status, sources

_REQUEUABLE = frozenset(status for status in sources(Status.QUEUED) if status.final)


def can_requeue(status: Status) -> bool:
    """Whether submitting the same request requeues a job in this status."""
    return status in _REQUEUABLE


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to insert unless `limit` jobs are waiting.

    `params` are JSON values under the API's names. Where there is no row, `instead` is taken for
    the job, if given. `webhook` is the JSON of a `Webhook`.
    """

    key: JobKey
    params: Mapping[str, Any]
    total_images: int
    seed: int
    limit: int
    instead: Job | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Inserted:
    """The job of a request; `fresh` if this request queued it."""

    job: Job
    fresh: bool


def insert(connection: sqlite3.Connection, new: NewJob) -> Inserted | None:
    """Queue a job; return None where there is no room.

    A job that is there already is returned as it is, unless it can be requeued.
    """
    if new.instead is not None:
        known, is_deleted = rows.find_or_deleted(connection, new.key)
        if known is None and not is_deleted:
            return Inserted(new.instead, fresh=False)
    values = rows.names(new.key) | {
        "params": json.dumps(new.params, ensure_ascii=False, separators=(",", ":")),
        "total_images": new.total_images,
        "seed": new.seed,
        "limit": new.limit,
        "webhook": new.webhook,
        "now": time.time(),
    }
    job = rows.one(connection, sql.INSERT, rows.moved(values, Status.QUEUED, _REQUEUABLE))
    if job is not None:
        return Inserted(job, fresh=True)
    known = rows.one(connection, sql.FIND, rows.names(new.key))
    if known is None or can_requeue(known.status):
        return None
    return Inserted(known, fresh=False)


def insert_all(
    connection: sqlite3.Connection, news: Sequence[NewJob], *, retry_after: int
) -> Sequence[Job]:
    """Queue jobs under new keys; raises `QueueFullError` where there is no room for all of them."""
    jobs = []
    for new in news:
        inserted = insert(connection, new)
        if inserted is None:
            raise QueueFullError(limit=new.limit, retry_after=retry_after)
        jobs.append(inserted.job)
    return jobs
