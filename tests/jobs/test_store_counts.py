"""How many jobs of each type stand where: found without counting rows."""

import json
import re
import sqlite3
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdrest.job_types import JobType
from sdrest.jobs import sql
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Status
from sdrest.jobs.store import Store
from tests.support.jobs import count

MIGRATIONS = sorted((Path(sql.__file__).parent / "migrations").glob("*.sql"))
ROW = """
INSERT INTO jobs (type, id, status, params, total_images, seed, created_at)
VALUES (?, ?, ?, '{}', 1, 0, 0)
"""


def migrated(path: Path, version: int) -> sqlite3.Connection:
    """Open a file as a server wrote it that knew `version` migrations."""
    connection = sqlite3.connect(path, isolation_level=None)
    for script in MIGRATIONS[:version]:
        connection.executescript(script.read_text())
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


def counted(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """Return the counts as the table tells them, without zeros."""
    return {(status, kind): jobs for status, kind, jobs in connection.execute(sql.COUNTS) if jobs}


def true_counts(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    return Counter(connection.execute("SELECT status, type FROM jobs").fetchall())


async def test_an_old_file_is_counted_once_when_it_is_opened(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.create()
    old = migrated(folders.database, 3)
    kinds = [(kind, status) for kind in JobType for status in Status]
    rows = [
        (kind, f"{number:032x}", status)
        for number, (kind, status) in enumerate(kinds * 2 + kinds[:4])
    ]
    old.executemany(ROW, rows)
    old.execute("DELETE FROM jobs WHERE status = 'FAILED'")
    expected = true_counts(old)
    old.close()
    async with Store(folders) as store:
        counts = await store.counts()
        assert {key: number for key, number in counts.items() if number} == expected
        assert len(counts) == len(kinds)  # zeros are counted too
        waiting = await count(store, Status.QUEUED)
        assert waiting == sum(expected[Status.QUEUED, kind] for kind in JobType)
        await store.delete_incomplete()
        assert await count(store, Status.QUEUED) == 0


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["insert", "move", "delete"]),
        st.integers(0, 7),
        st.sampled_from(JobType),
        st.sampled_from(Status),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=CHANGES)
def test_counts_are_those_of_the_rows(changes: list[tuple[str, int, str, str]]) -> None:
    connection = migrated(Path(":memory:"), len(MIGRATIONS))
    for what, number, kind, status in changes:
        match what:
            case "insert":
                connection.execute(
                    f"{ROW} ON CONFLICT DO UPDATE SET status = excluded.status",
                    (kind, f"{number:032x}", status),
                )
            case "move":
                connection.execute(
                    "UPDATE jobs SET status = ? WHERE id = ?", (status, f"{number:032x}")
                )
            case _:
                connection.execute(sql.DELETE, {"type": kind, "id": f"{number:032x}"})
        assert counted(connection) == true_counts(connection)
    connection.close()


def test_no_job_is_looked_at_to_count() -> None:
    connection = migrated(Path(":memory:"), len(MIGRATIONS))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.COUNTS}").fetchall()
    connection.close()
    details = [detail for *_, detail in plan]
    assert details
    assert all(" counts" in detail for detail in details), json.dumps(details)


def test_an_insert_knows_the_waiting_jobs_without_counting() -> None:
    connection = migrated(Path(":memory:"), len(MIGRATIONS))
    names = dict.fromkeys(re.findall(r":(\w+)", sql.INSERT))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.INSERT}", names).fetchall()
    connection.close()
    details = [detail for *_, detail in plan]
    assert any("SEARCH counts USING PRIMARY KEY (status=?)" in detail for detail in details)
