"""Changes of the job table that take several statements; they run on the database's thread."""

import sqlite3
from collections.abc import Sequence

from sdrest.errors import Failure
from sdrest.jobs import rows, sql
from sdrest.jobs.model import Job, JobKey, Status


def delete(connection: sqlite3.Connection, key: JobKey) -> bool:
    """Remove a job as `Store.delete` says; return whether it was allowed."""
    job = rows.one(connection, sql.FIND, rows.names(key))
    if job is not None and not job.status.final:
        return False
    connection.execute(sql.DELETE, rows.names(key))
    connection.execute(sql.MARK_DELETED, rows.names(key))
    return True


def resume(connection: sqlite3.Connection, *, max_attempts: int, failure: Failure) -> Sequence[Job]:
    """Change all jobs that are IN_PROGRESS as `Store.resume` says; return their rows."""
    interrupted = [rows.job(row) for row in connection.execute(sql.INTERRUPTED).fetchall()]
    resumed = []
    for job in interrupted:
        if job.attempts < max_attempts or len(interrupted) > 1:
            values = {"number": job.number, "most_attempts": max_attempts - 1}
            change = sql.RESUME, rows.moved(values, Status.QUEUED)
        else:
            values = rows.ended(job.key, size=0, failure=failure)
            change = sql.FINISH, rows.moved(values, Status.FAILED)
        resumed.append(rows.one(connection, *change))
    return [job for job in resumed if job is not None]
