"""Operations share commits, fail alone, survive a full disk, locks and callers that leave."""

import asyncio
import itertools
import re
import sqlite3
from pathlib import Path

import pytest

from sdrest.errors import (
    StorageUnavailableError,
)
from sdrest.job_types import JobType
from sdrest.jobs import sql
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted
from sdrest.jobs.model import Status
from sdrest.jobs.store import Store
from tests.support.jobs import SECONDS, add, count, text_key


async def test_an_operation_that_fails_hurts_no_other(store: Store) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE jobs SET images = 99")
        raise ZeroDivisionError

    def wrong(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO jobs (number) VALUES ('x')")

    results = await asyncio.gather(
        add(store, "a"),
        store._database.write(fail),
        store._database.write(wrong),
        add(store, "b"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [
        Inserted, ZeroDivisionError, sqlite3.IntegrityError, Inserted,
    ]  # fmt: skip
    store._written.clear()
    for name in "ab":
        job = await store.find(text_key(name))
        assert job is not None
        assert job.images == 0


async def test_a_read_that_fails_hurts_no_other(store: Store) -> None:
    def fail(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    results = await asyncio.gather(
        count(store, Status.QUEUED),
        store._database.read(fail),
        count(store, Status.QUEUED),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [int, ZeroDivisionError, int]


async def test_a_full_disk_refuses_and_is_survived(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """`max_page_count` makes SQLite meet its own error of a full disk."""

    async def pages(limit: int) -> None:
        await store._database.write(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {limit}").fetchall()
        )

    await add(store, "kept")
    await pages(1)
    results = await asyncio.gather(
        *(add(store, f"{number}" + "x" * 9000) for number in range(20)), return_exceptions=True
    )
    assert all(isinstance(result, StorageUnavailableError) for result in results)
    assert await store.find(text_key("kept")) is not None
    await pages(2**30)
    assert (await add(store, "1" + "x" * 9000)).fresh
    assert await count(store, Status.QUEUED) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "The database cannot be used: database or disk is full",
        "The database can be used again",
    ]


async def test_a_foreign_lock_is_waited_for(store: Store, folders: Folders) -> None:
    backup = sqlite3.connect(folders.database, isolation_level=None)
    backup.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(add(store, "a"))
    assert await store.find(text_key("b")) is None  # reads go on
    assert not adding.done()
    backup.execute("COMMIT")
    backup.close()
    assert (await asyncio.wait_for(adding, SECONDS)).fresh


async def test_operations_that_wait_share_one_commit(store: Store, folders: Folders) -> None:
    statements: list[str] = []
    await store._database.write(lambda connection: connection.set_trace_callback(statements.append))
    backup = sqlite3.connect(folders.database, isolation_level=None)
    backup.execute("BEGIN IMMEDIATE")
    adding = [asyncio.create_task(add(store, f"job {number}")) for number in range(50)]
    assert await count(store, Status.QUEUED) == 0  # all are called by now
    statements.clear()
    backup.execute("COMMIT")
    backup.close()
    assert all(inserted.fresh for inserted in await asyncio.gather(*adding))
    assert 1 <= statements.count("COMMIT") <= 2  # the first one may have come alone


async def test_a_closed_store_is_unavailable(folders: Folders) -> None:
    store = Store(folders)
    with pytest.raises(StorageUnavailableError):
        await add(store, "a")
    await store.open()
    await add(store, "a")
    await store.close()
    await store.close()
    with pytest.raises(StorageUnavailableError):
        await count(store, Status.QUEUED)


async def test_a_caller_that_goes_away_does_not_undo(store: Store) -> None:
    adding = asyncio.create_task(add(store, "a"))
    await asyncio.sleep(0)  # it has begun
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert not (await add(store, "a")).fresh


def test_no_statement_reads_the_whole_table(tmp_path: Path) -> None:
    """Whatever the number of finished jobs, a claim or a submission looks at few rows."""
    connection = sqlite3.connect(tmp_path / "plan.sqlite3")
    for script in sorted((Path(sql.__file__).parent / "migrations").glob("*.sql")):
        connection.executescript(script.read_text())
    statements = [
        statement
        for name, value in vars(sql).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str | tuple)
        for statement in ([value] if isinstance(value, str) else value)
    ]
    kinds = itertools.product([None, *Status], [None, *JobType])
    statements += [sql.page(status, job_type) for status, job_type in kinds]
    assert len(statements) > 10
    for statement in statements:
        names = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", names).fetchall()
        scans = [detail for *_, detail in plan if detail.startswith("SCAN jobs")]
        assert all("USING" in scan and "INDEX jobs_" in scan for scan in scans), statement
    connection.close()
