"""The job table in a real file."""

import asyncio
from dataclasses import replace

import pytest

from sdrest.errors import (
    Failure,
    FailureCode,
    QueueFullError,
)
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted
from sdrest.jobs.model import TRANSITIONS, Job, Status
from sdrest.jobs.store import Store
from tests.support.jobs import add, addition, count, text_key

FAILURE = Failure(FailureCode.SCRIPT_FAILED, "It said ä.", {"exitCode": 1, "stderr": ["a", "b"]})


async def bring(store: Store, name: str, status: Status) -> Job:
    """Make a job that stands at `status`."""
    job = (await add(store, name)).job
    if status is Status.QUEUED:
        return job
    claimed = await store.claim()
    assert claimed is not None
    match status:
        case Status.COMPLETE:
            ended = await store.complete(job.key, size=1)
        case Status.FAILED:
            ended = await store.fail(job.key, FAILURE, size=1)
        case Status.CANCELLED:
            ended = await store.cancel(job.key, Status.IN_PROGRESS, size=1)
        case _:
            ended = claimed
    assert ended is not None
    return ended


async def test_a_row_holds_what_a_job_is(store: Store, folders: Folders) -> None:
    added = (await add(store, "ä mountain")).job
    assert added.params["prompt"] == "ä mountain"
    assert (added.seed, added.total_images, added.images, added.attempts) == (7, 3, 0, 0)
    claimed = await store.claim()
    assert claimed is not None
    assert claimed.started_at is not None
    assert claimed == replace(
        added, status=Status.IN_PROGRESS, attempts=1, started_at=claimed.started_at
    )
    await store.list_image(added.key, 2)
    await store.list_image(added.key, 1)  # a run that goes on after a crash begins anew
    failed = await store.fail(added.key, FAILURE, size=1)
    assert failed is not None
    assert failed.finished_at is not None
    assert failed == replace(
        claimed,
        status=Status.FAILED,
        images=2,
        finished_at=failed.finished_at,
        failure=FAILURE,
        size=1,
    )
    await store.close()
    async with Store(folders) as reopened:
        assert await reopened.find(added.key) == failed


async def test_a_finished_job_has_the_peak_memory_of_its_run(store: Store) -> None:
    for name in "abc":
        await add(store, name)
        await store.claim()
    keys = [text_key(name) for name in "abc"]
    ended = [
        await store.complete(keys[0], size=0, peak_rss=2**33),
        await store.fail(keys[1], FAILURE, size=0, peak_rss=2**34),
        await store.cancel(keys[2], Status.IN_PROGRESS, size=0, peak_rss=2**35),
    ]
    assert [job.peak_rss for job in ended if job] == [2**33, 2**34, 2**35]
    await add(store, "b")  # runs again, and nobody knows how much memory that takes
    await store.claim()
    again = await store.fail(keys[1], FAILURE, size=0)
    assert again is not None
    assert again.peak_rss is None


async def test_a_key_is_a_type_and_an_id(store: Store) -> None:
    await add(store, "a")
    assert await store.find(text_key("b")) is None
    for job_type in ("image-to-image", "inpaint-image"):
        assert await store.find(replace(text_key("a"), type=job_type)) is None  # type: ignore[arg-type]  # a str enum


@pytest.mark.parametrize("status", Status)
async def test_a_change_needs_an_allowed_source(store: Store, status: Status) -> None:
    job = await bring(store, "a", status)
    before = await store.find(job.key)
    for target, change in (
        (Status.COMPLETE, store.complete(job.key, size=1)),
        (Status.FAILED, store.fail(job.key, FAILURE, size=1)),
        (Status.CANCELLED, store.cancel(job.key, status, size=1)),
    ):
        if target in TRANSITIONS[status]:
            change.close()
        else:
            assert await change is None
    if status is not Status.IN_PROGRESS:
        assert await store.list_image(job.key, 3) is None
        assert await store.release(job.key) is None
    assert await store.find(job.key) == before


async def test_jobs_are_claimed_in_order_once_each(store: Store) -> None:
    names = [f"job {number}" for number in range(40)]
    for name in names:
        await add(store, name)
    claimed = await asyncio.gather(*(store.claim() for _ in range(50)))
    assert [job.key if job else None for job in claimed] == [
        *map(text_key, names),
        *[None] * 10,
    ]


async def test_a_released_job_is_first_again(store: Store) -> None:
    for name in "ab":
        await add(store, name)
    first = await store.claim()
    assert first is not None
    released = await store.release(first.key)
    assert released is not None
    assert (released.status, released.attempts) == (Status.QUEUED, 0)
    again = await store.claim()
    assert again is not None
    assert again.key == first.key


async def test_a_requeued_job_is_last_in_the_queue(store: Store) -> None:
    await bring(store, "a", Status.FAILED)
    await add(store, "b")
    added = await add(store, "a", images=2)
    assert added.fresh
    assert added.job == replace(
        added.job, status=Status.QUEUED, total_images=2, images=0, attempts=0, failure=None,
        started_at=None, finished_at=None,
    )  # fmt: skip
    claimed = [await store.claim(), await store.claim()]
    assert [job.key for job in claimed if job] == [text_key("b"), text_key("a")]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.IN_PROGRESS, Status.COMPLETE])
async def test_a_known_job_is_not_added(store: Store, status: Status) -> None:
    job = await bring(store, "a", status)
    assert await add(store, "a", limit=0) == Inserted(job, fresh=False)


async def test_counts_follow_every_change(store: Store) -> None:
    async def counts() -> list[int]:
        return [await count(store, status) for status in Status]

    assert await counts() == [0, 0, 0, 0, 0]
    await bring(store, "a", Status.COMPLETE)
    await bring(store, "b", Status.FAILED)
    await bring(store, "c", Status.IN_PROGRESS)
    await bring(store, "d", Status.QUEUED)
    assert await counts() == [1, 1, 1, 1, 0]
    await add(store, "b")
    assert await counts() == [2, 1, 1, 0, 0]
    await store.release(text_key("c"))
    assert await counts() == [3, 0, 1, 0, 0]
    await store.delete_incomplete()
    assert await counts() == [0, 0, 1, 0, 0]
    assert await store.find(text_key("d")) is None


async def test_on_insert_is_called_though_the_caller_went_away(store: Store) -> None:
    inserted: list[Job] = []
    adding = asyncio.create_task(store.add(addition("a"), retry_after=9, on_insert=inserted.append))
    await asyncio.sleep(0)  # it has begun
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    assert not (await store.add(addition("a"), retry_after=9, on_insert=inserted.append)).fresh
    assert [job.key for job in inserted] == [text_key("a")]


async def test_the_limit_holds_in_a_burst(store: Store) -> None:
    results = await asyncio.gather(
        *(add(store, f"job {number}", limit=10) for number in range(30)), return_exceptions=True
    )
    assert sum(isinstance(result, Inserted) for result in results) == 10
    refusals = [result for result in results if isinstance(result, QueueFullError)]
    assert len(refusals) == 20
    assert refusals[0].details == {"limit": 10, "retryAfter": 9}
    assert await count(store, Status.QUEUED) == 10


async def test_interrupted_jobs_are_resumed_three_times(folders: Folders) -> None:
    for attempt in (1, 2, 3):
        async with Store(folders) as store:
            await add(store, "a")
            claimed = await store.claim()
            assert claimed is not None
            assert claimed.attempts == attempt
            assert await store.find(text_key("a")) == claimed
            (resumed,) = await store.resume(max_attempts=3, failure=FAILURE)
            assert resumed.status is (Status.QUEUED if attempt < 3 else Status.FAILED)
            assert await store.find(text_key("a")) == resumed
    assert resumed.failure == FAILURE


async def test_incomplete_jobs_come_in_pages(store: Store) -> None:
    await asyncio.gather(*(add(store, f"job {number}", limit=2000) for number in range(1500)))
    await store.claim()
    await add(store, "end", limit=2000)
    seen = []
    last = 0
    while page := await store.incomplete(after=last):
        seen += [key for _, key in page]
        last = page[-1][0]
    assert len(seen) == len(set(seen)) == 1501


async def test_the_row_cache_is_bounded_by_the_text_of_its_prompts(store: Store) -> None:
    long = "x" * 100_000
    for number in range(20):
        await add(store, f"{number}{long}")
    assert sum(len(job.params["prompt"]) for job in store._written.values()) <= 2**20
    found = await store.find(text_key(f"0{long}"))
    assert found is not None
    assert found.params["prompt"] == f"0{long}"


async def test_few_rows_are_kept_in_memory(store: Store) -> None:
    names = [f"job {number}" for number in range(1100)]
    await asyncio.gather(*(add(store, name, limit=2000) for name in names))
    assert len(store._written) < 1024
    for name in names:
        assert await store.find(text_key(name)) is not None


async def test_reads_do_not_bring_back_what_was(store: Store) -> None:
    await add(store, "a")
    await store.claim()
    for index in range(1, 50):
        store._written.clear()
        read = asyncio.create_task(store.find(text_key("a")))
        await store.list_image(text_key("a"), index)
        await read
        job = await store.find(text_key("a"))
        assert job is not None
        assert job.images == index


async def test_only_a_job_at_its_end_is_deleted(store: Store) -> None:
    for status in reversed(Status):
        job = await bring(store, status, status)
        assert await store.delete(job.key) is status.final
        found, is_deleted = await store.find_or_deleted(job.key)
        assert (found is None, is_deleted) == (status.final, status.final)


async def test_a_page_says_where_the_next_one_begins(store: Store) -> None:
    numbers = [(await add(store, name)).job.number for name in "abc"]
    page = await store.page(None, None, before=None, limit=2)
    assert ([job.number for job in page.jobs], page.following) == (numbers[:0:-1], numbers[1])
    page = await store.page(None, None, before=page.following, limit=2)
    assert ([job.number for job in page.jobs], page.following) == (numbers[:1], None)
