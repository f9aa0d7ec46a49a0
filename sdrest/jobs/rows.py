"""Rows of the job table as jobs, and back. Pure but for running one statement."""

import json
import sqlite3
from typing import Any

from sdrest.errors import Failure, FailureCode
from sdrest.jobs.model import Job, JobKey, Status
from sdrest.params import JobType


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
    )


def dump_failure(failure: Failure) -> str:
    """Return a failure as it is stored."""
    return json.dumps(
        {"code": failure.code, "message": failure.message, "details": dict(failure.details)}
    )


def _load_failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    failure = json.loads(text)
    return Failure(FailureCode(failure["code"]), failure["message"], failure["details"])
