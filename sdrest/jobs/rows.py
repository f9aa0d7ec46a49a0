"""Rows of the job table as jobs, and back."""

import json
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

from sdrest.engine.base import Need
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs import sql
from sdrest.jobs.model import Job, JobKey, Status, sources


def names(key: JobKey) -> dict[str, Any]:
    """Return a key as the values of a statement."""
    return {"type": key.type, "id": key.id}


def key(row: sqlite3.Row) -> JobKey:
    """Return the key of a row."""
    return JobKey(JobType(row["type"]), row["id"])


def one(connection: sqlite3.Connection, statement: str, values: dict[str, Any]) -> Job | None:
    """Return the job of a statement that gives one row or none."""
    # All rows are fetched: a statement with RETURNING has done its work only at its end.
    rows = connection.execute(statement, values).fetchall()
    return job(rows[0]) if rows else None


def find_or_deleted(connection: sqlite3.Connection, key: JobKey) -> tuple[Job | None, bool]:
    """Return a job's row, and whether it was deleted, both as of the same moment."""
    row = connection.execute(sql.FIND_OR_DELETED, names(key)).fetchone()
    return None if row["id"] is None else job(row), bool(row["is_deleted"])


def job(row: sqlite3.Row) -> Job:
    """Return the job of a row."""
    return Job(
        key=key(row),
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
        number=row["number"],
        size=row["bytes"],
        peak_rss=row["peak_rss"],
        flagged=tuple(json.loads(row["flagged"])),
        attention=row["attention"],
        favourites=tuple(json.loads(row["favourites"])),
        image_size=None if row["width"] is None else (row["width"], row["height"]),
    )


def moved(
    values: dict[str, Any], target: Status, origins: Iterable[Status] | None = None
) -> dict[str, Any]:
    """Return the values of a statement that moves a job to `target`, if given from `origins`."""
    allowed = sources(target) if origins is None else sources(target).intersection(origins)
    return values | {"target": target, "sources": json.dumps(sorted(allowed))}


def claim(needs: Iterable[Need] | None, *, most_attempts: int) -> tuple[str, dict[str, Any]]:
    """Return the statement that `Store.claim` executes, and its values."""
    values: dict[str, Any] = {"now": time.time(), "most_attempts": most_attempts}
    statement = sql.CLAIM
    if needs is not None:
        statement, values["needs"] = sql.CLAIM_ONE_OF, json.dumps(list(needs))
    return statement, moved(values, Status.IN_PROGRESS)


def ended(
    key: JobKey, *, size: int, peak_rss: int | None = None, failure: Failure | None = None
) -> dict[str, Any]:
    """Return the values of a statement that ends a job now."""
    return names(key) | {
        "now": time.time(),
        "failure": dump_failure(failure),
        "bytes": size,
        "peak_rss": peak_rss,
    }


def dump_failure(failure: Failure | None) -> str | None:
    """Return a failure as it is stored."""
    if failure is None:
        return None
    return json.dumps(
        {"code": failure.code, "message": failure.message, "details": dict(failure.details)}
    )


def _load_failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    failure = json.loads(text)
    return Failure(FailureCode(failure["code"]), failure["message"], failure["details"])
