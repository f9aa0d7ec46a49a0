"""The job service on real files, with scripts whose every step the test decides."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Progress, Started, Task
from sdrest.errors import (
    Failure,
    FailureCode,
    NotFoundError,
    QueueFullError,
)
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.jobs.model import JobKey, Status
from tests.support.jobs import (
    SECONDS,
    Gate,
    Script,
    ScriptedExecutor,
    content,
    house,
    picture,
    text,
    text_key,
)

pytestmark = pytest.mark.integration


async def test_a_job_runs_from_queued_to_complete(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        submission = text("a mountain", images=2)
        job = await home.submit(submission)
        assert (job.status, job.images, job.total_images) == (Status.QUEUED, 0, 2)
        await home.ended(submission.key)

        seen = [
            (event.change, event.snapshot.job.images, event.snapshot.progress)
            for event in home.events
        ]
        assert seen == [
            (Change.QUEUED, 0, None),
            (Change.STARTED, 0, Progress(1, 0.0)),
            (Change.PROGRESS, 0, Progress(1, 0.5)),
            (Change.IMAGE, 1, Progress(2, 0.0)),
            (Change.PROGRESS, 1, Progress(2, 0.5)),
            (Change.IMAGE, 2, Progress(2, 1.0)),
            (Change.FINISHED, 2, None),
        ]
        snapshot = await home.find(submission.key)
        assert snapshot is not None
        assert snapshot.job == home.events[-1].snapshot.job
        assert snapshot.job.status is Status.COMPLETE
        (task,) = home.executor.tasks
        for index in (1, 2):
            path = await home.jobs.image(submission.key, index)
            assert path == tmp_path / "text-to-image" / submission.key.id / f"{index}.png"
            assert path.read_bytes() == content(task, index)
        assert not task.workdir.exists()


async def test_find_shows_a_running_job(tmp_path: Path) -> None:
    reported = asyncio.Event()
    go_on = asyncio.Event()

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        yield Progress(1, 0.25)
        reported.set()
        await go_on.wait()
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(script)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(reported.wait(), SECONDS)
        snapshot = await home.find(text_key("a"))
        assert snapshot is not None
        assert snapshot.job.status is Status.IN_PROGRESS
        assert snapshot.progress == Progress(1, 0.25)
        go_on.set()
        await home.ended(text_key("a"))


async def test_jobs_run_in_the_order_of_their_submission(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        names = [f"job {number}" for number in range(20)]
        for name in names:
            await home.submit(text(name))
        assert await home.waiting() == 20
        gate.opened.set()
        await home.ended(text_key(names[-1]))
        assert [task.id for task in home.executor.tasks[1:]] == [text_key(n).id for n in names]


async def test_as_many_jobs_run_as_concurrency_allows(tmp_path: Path) -> None:
    gates = {f"job {number}": Gate() for number in range(4)}
    executor = ScriptedExecutor(scripts=dict(gates))
    async with house(tmp_path, executor, concurrency=3) as home:
        for name in gates:
            await home.submit(text(name))
        first, *_, last = gates.values()
        for gate in list(gates.values())[:3]:
            await asyncio.wait_for(gate.entered.wait(), SECONDS)
        assert not last.entered.is_set()
        first.opened.set()
        await asyncio.wait_for(last.entered.wait(), SECONDS)
        for gate in gates.values():
            gate.opened.set()
        for name in gates:
            await home.ended(text_key(name))


async def test_identical_requests_at_once_make_one_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        jobs = await asyncio.gather(*(home.submit(text("same")) for _ in range(50)))
        assert len({job.created_at for job in jobs}) == 1
        assert await home.waiting() == 1
        gate.opened.set()
        await home.ended(text_key("same"))
        await home.submit(text("same"))
        assert home.changes(text_key("same")).count(Change.QUEUED) == 1
        assert len(home.executor.tasks) == 2


async def test_a_full_queue_refuses(tmp_path: Path) -> None:
    async with house(tmp_path, max_waiting=2) as home:
        gate = await home.occupy()
        await asyncio.gather(*(home.submit(text(name)) for name in "ab"))
        with pytest.raises(QueueFullError) as caught:
            await home.submit(text("c"))
        assert 1 <= caught.value.retry_after <= 600
        upload = home.inpaint()
        with pytest.raises(QueueFullError):
            await home.submit(upload)
        assert list(home.folders.spool.iterdir()) == []
        assert list(home.folders.all_inputs.iterdir()) == []
        await home.submit(text("a"))  # a known one is no new one
        assert await home.find(text_key("c")) is None
        gate.opened.set()
        await home.ended(text_key("b"))
        await home.submit(text("c"))
        await home.ended(text_key("c"))


async def test_a_failed_job_that_is_submitted_again_is_requeued(tmp_path: Path) -> None:
    async def fail(task: Task) -> AsyncGenerator[Event, None]:
        for index in (1, 2):
            yield picture(task, index)
        yield Finished(Failure(FailureCode.OUT_OF_MEMORY, "Too large.", {"exitCode": 1}))

    async with house(tmp_path) as home:
        home.executor.scripts["a"] = fail
        await home.submit(text("a", images=3))
        failed = (await home.ended(text_key("a"))).snapshot.job
        assert failed.status is Status.FAILED
        assert failed.failure == Failure(FailureCode.OUT_OF_MEMORY, "Too large.", {"exitCode": 1})
        assert failed.images == 2

        home.events.clear()
        gate = Gate()
        home.executor.scripts["a"] = gate
        held = await home.occupy()
        again = await home.submit(text("a", images=3))
        assert (again.status, again.images, again.attempts) == (Status.QUEUED, 0, 0)
        assert again.failure is None
        held.opened.set()
        gate.opened.set()
        done = (await home.ended(text_key("a"))).snapshot.job
        assert (done.status, done.images, done.attempts) == (Status.COMPLETE, 3, 1)


async def test_images_of_a_failed_request_are_gone_when_it_runs_again(tmp_path: Path) -> None:
    async def fail(task: Task) -> AsyncGenerator[Event, None]:
        yield picture(task, 1)
        yield Finished(Failure(FailureCode.SCRIPT_FAILED, "No."))

    looked: list[bool] = []

    async def find_or_deleted(task: Task) -> AsyncGenerator[Event, None]:
        looked.append((tmp_path / "text-to-image" / task.id / "1.png").exists())
        yield Finished(Failure(FailureCode.SCRIPT_FAILED, "No."))

    async with house(tmp_path, ScriptedExecutor(fail)) as home:
        await home.submit(text("a", images=2))
        await home.ended(text_key("a"))
        assert (await home.jobs.image(text_key("a"), 1)).exists()
        home.executor.script = find_or_deleted
        home.events.clear()
        await home.submit(text("a", images=2))
        await home.ended(text_key("a"))
        assert looked == [False]


async def test_a_random_seed_is_chosen_once(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        job = await home.submit(text("a", seed=None))
        await home.ended(text_key("a"))
        (task,) = home.executor.tasks
        assert 0 <= job.seed < 2**32
        assert task.seed == job.seed
        assert task.params.seed is None


async def test_job_timeout_ends_a_job(tmp_path: Path) -> None:
    closed: list[Task] = []

    async def hang(task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(task)

    async def in_time(task: Task) -> AsyncGenerator[Event, None]:
        yield picture(task, 1)
        yield Started()  # the time begins here, however long the disk took before
        yield Finished()

    scripts: dict[str, Script] = {"a": hang, "b": in_time}
    async with house(tmp_path, ScriptedExecutor(scripts=scripts), job_timeout=0.1) as home:
        await home.submit(text("a"))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.failure is not None
        assert job.failure.code is FailureCode.TIMEOUT
        assert "0.1 seconds" in job.failure.message
        assert len(closed) == 1
        await home.submit(text("b"))
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.COMPLETE


async def test_jobs_of_the_original_are_complete(tmp_path: Path) -> None:
    folder = tmp_path / "text-to-image" / text_key("old").id
    folder.mkdir(parents=True)
    for name in ("1.png", "2.png", "4.png", "notes.txt"):
        (folder / name).write_bytes(b"old")
    async with house(tmp_path) as home:
        snapshot = await home.find(text_key("old"))
        assert snapshot is not None
        assert snapshot.job.status is Status.COMPLETE
        assert (snapshot.job.images, snapshot.job.total_images) == (2, 2)
        known = await home.submit(text("old", images=2))
        assert known == snapshot.job
        assert home.executor.tasks == []

        job = await home.submit(text("old", images=3))
        assert job.status is Status.QUEUED
        done = (await home.ended(text_key("old"))).snapshot.job
        assert (done.status, done.images) == (Status.COMPLETE, 3)
        assert sorted(path.name for path in folder.iterdir()) == [
            "1.png", "2.png", "3.png", "notes.txt",
        ]  # fmt: skip
        assert (folder / "1.png").read_bytes() != b"old"


@pytest.mark.parametrize("name", ["..", "../../etc", "0" * 31, "0" * 33, "A" * 32, "\0" * 32])
async def test_a_malformed_id_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    async with house(tmp_path) as home:
        with pytest.raises(NotFoundError):
            await home.jobs.get(JobKey(JobType.TEXT_TO_IMAGE, name))
        with pytest.raises(NotFoundError):
            await home.jobs.image(JobKey(JobType.TEXT_TO_IMAGE, name), 1)


async def test_a_client_that_disconnects_while_it_posts_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        submitting = asyncio.create_task(home.submit(text("a")))
        await asyncio.sleep(0)  # it has begun
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE
