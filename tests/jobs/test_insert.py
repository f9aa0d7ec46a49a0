"""Requests become rows, also several in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sdrest.errors import Failure, FailureCode
from sdrest.jobs.database import Database
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted, NewJob, insert
from sdrest.jobs.model import Job, Status
from sdrest.jobs.store import Store
from tests.support.jobs import addition, count, text_key

FAILURE = Failure(FailureCode.SCRIPT_FAILED, "It said no.", {})


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "output")


@pytest.fixture
async def database(folders: Folders) -> AsyncIterator[Database]:
    async with Store(folders):  # makes the tables
        pass
    database = Database(folders.database, create_folders=folders.create, on_create=lambda: None)
    await database.open()
    yield database
    await database.close()


async def together(database: Database, additions: Sequence[NewJob]) -> list[Inserted | None]:
    return await database.write(
        lambda connection: [insert(connection, addition) for addition in additions]
    )


async def rows(folders: Folders, database: Database) -> list[Job]:
    await database.close()
    async with Store(folders) as store:
        page = await store.page(None, None, before=None, limit=1000)
    return list(reversed(page.jobs))


async def test_a_group_is_one_row_each_in_its_order(folders: Folders, database: Database) -> None:
    names = [f"job {number}" for number in range(100)]
    added = await together(database, [addition(name) for name in names])
    assert all(one is not None and one.fresh for one in added)
    found = await rows(folders, database)
    assert [job.key for job in found] == [text_key(name) for name in names]
    assert [one.job for one in added if one is not None] == found


async def test_what_is_returned_of_a_row_is_what_it_holds(
    folders: Folders, database: Database
) -> None:
    texts = ["ä \N{SNOWMAN} \x7f '\"\\", "[1, 2]", "null", "x" * 9_999, "\u2028"]
    wanted = [addition(text, images=3, seed=2**32 - 1) for text in texts]
    added = await together(database, wanted)
    found = await rows(folders, database)
    assert [one.job for one in added if one is not None] == found
    assert [job.params["prompt"] for job in found] == texts
    assert {(job.seed, job.total_images) for job in found} == {(2**32 - 1, 3)}


async def test_equal_ones_in_a_group_make_one_job(folders: Folders, database: Database) -> None:
    wanted = [addition("a", seed=1), addition("b"), addition("a", seed=2), addition("a", seed=3)]
    first, other, *again = await together(database, wanted)
    assert first is not None
    assert first.fresh
    assert again == [replace(first, fresh=False)] * 2
    assert other is not None
    assert [job.seed for job in await rows(folders, database)] == [1, 7]


async def test_known_ones_in_a_group_stay_as_they_are(folders: Folders, database: Database) -> None:
    (known,) = await together(database, [addition("a", seed=1)])
    assert known is not None
    added = await together(database, [addition("b"), addition("a", seed=2), addition("c")])
    assert [one.fresh for one in added if one is not None] == [True, False, True]
    assert added[1] == replace(known, fresh=False)
    assert (await rows(folders, database))[0] == known.job


async def test_those_that_failed_wait_again_behind_all_others(folders: Folders) -> None:
    async with Store(folders) as store:
        for name in ("a", "b"):
            await store.add(addition(name), retry_after=9, on_insert=lambda _: None)
        for name in ("a", "b"):
            assert await store.claim()
            assert await store.fail(text_key(name), FAILURE, size=1, peak_rss=4096)
        wanted = [addition("c"), addition("b", seed=1), addition("d"), addition("a", seed=2)]
        added = await asyncio.gather(
            *(store.add(each, retry_after=9, on_insert=lambda _: None) for each in wanted)
        )
        jobs = [one.job for one in added]
        assert all(one.fresh for one in added)
        assert [store.queue_position(job) for job in jobs] == [1, 2, 3, 4]
    async with Store(folders) as store:
        assert [await store.claim() for _ in range(5)].count(None) == 1
        for each, job in zip(wanted, jobs, strict=True):
            found = await store.find(each.key)
            assert found is not None
            assert replace(found, status=Status.QUEUED, attempts=0, started_at=None) == job
            assert (found.seed, found.failure, found.peak_rss) == (each.seed, None, None)


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
async def test_the_last_places_go_to_those_that_came_first(
    folders: Folders, database: Database, limit: int
) -> None:
    """One that is known takes no place, nor one that came twice."""
    names = ["a", "a", "b", "a", "c", "d"]
    added = await together(database, [addition(name, limit=limit) for name in names])
    taken = names[: [0, 2, 4, 5][limit]]
    assert [one is not None for one in added[: len(taken)]] == [True] * len(taken)
    assert [job.key for job in await rows(folders, database)] == [
        text_key(name) for name in dict.fromkeys(taken)
    ]
    late = dict(zip(names, added, strict=True))
    assert late["d"] is None
    assert all(late[name] is None for name in names if name not in taken)


async def test_a_job_of_the_original_is_used_if_it_has_no_row(
    folders: Folders, database: Database
) -> None:
    (row,) = await together(database, [addition("a")])
    assert row is not None
    original = replace(row.job, status=Status.COMPLETE, number=0)
    wanted = [
        addition("a", instead=original),
        addition("b", instead=original),
        addition("c", limit=1),
    ]
    known, instead, refused = await together(database, wanted)
    assert known == replace(row, fresh=False)
    assert instead == Inserted(original, fresh=False)
    assert refused is None
    assert [job.key for job in await rows(folders, database)] == [text_key("a")]


async def test_a_deleted_job_of_the_original_is_made_again(folders: Folders) -> None:
    async with Store(folders) as store:
        added = await store.add(addition("a"), retry_after=9, on_insert=lambda _: None)
        original = replace(added.job, status=Status.COMPLETE, number=0)
        assert await store.cancel(text_key("a"), Status.QUEUED, size=0)
        assert await store.delete(text_key("a"))
        again = await store.add(
            addition("a", instead=original), retry_after=9, on_insert=lambda _: None
        )
        assert again.fresh


async def test_one_that_cannot_be_written_hurts_no_other(
    folders: Folders, database: Database
) -> None:
    """A seed that is no integer of SQLite's refuses its own request only."""
    await database.close()
    async with Store(folders) as store:
        wanted = [addition("a"), addition("b", seed=2**70), addition("c")]
        results = await asyncio.gather(
            *(store.add(each, retry_after=9, on_insert=lambda _: None) for each in wanted),
            return_exceptions=True,
        )
        assert [isinstance(result, Inserted) for result in results] == [True, False, True]
        assert await count(store, Status.QUEUED) == 2
