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


def execute_all(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    """Execute statements without values."""
    for statement in statements:
        connection.execute(statement)


def resume(
    connection: sqlite3.Connection, *, max_attempts: int | None, failure: Failure
) -> Sequence[Job]:
    """Change all jobs that are IN_PROGRESS as `Store.resume` says; return their rows."""
    interrupted = [rows.job(row) for row in connection.execute(sql.INTERRUPTED).fetchall()]
    resumed = []
    for job in interrupted:
        if max_attempts is None or job.attempts < max_attempts or len(interrupted) > 1:
            most = max_attempts - 1 if max_attempts else 0
            values = {"number": job.number, "most_attempts": most}
            change = sql.RESUME, rows.moved(values, Status.QUEUED)
        else:
            values = rows.ended(job.key, size=0, failure=failure)
            change = sql.FINISH, rows.moved(values, Status.FAILED)
        resumed.append(rows.one(connection, *change))
    return [job for job in resumed if job is not None]
