"""The queue on real files, with scripts whose every step the test decides."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.errors import (
    Failure,
    FailureCode,
    NotFoundError,
    QueueFullError,
    StoppingError,
    StorageUnavailableError,
)
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.jobs.model import JobKey, Status
from sdrest.params import ImageToImage
from tests.support.jobs import (
    SECONDS,
    Gate,
    ScriptedExecutor,
    Submission,
    content,
    house,
    picture,
    text,
    text_key,
    value_of,
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


async def test_identical_uploads_at_once_make_one_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        first = home.inpaint()
        await asyncio.gather(*(home.submit(first) for _ in range(9)))
        assert await home.waiting() == 1
        assert list(home.folders.spool.iterdir()) == []
        assert value_of(home.folders.inputs(first.key) / "mask.png") == 255
        gate.opened.set()
        await home.ended(first.key)


async def test_pictures_stay_until_the_job_is_complete(tmp_path: Path) -> None:
    seen: list[tuple[object, object]] = []

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        assert task.image is not None
        assert task.mask is not None
        seen.append((value_of(task.image), value_of(task.mask)))
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(script)) as home:
        submission = home.inpaint()
        await home.submit(submission)
        assert list(home.folders.spool.iterdir()) == []
        await home.ended(submission.key)
        assert seen == [(128, 255)]
        assert list(home.folders.all_inputs.iterdir()) == []


async def test_pictures_of_a_known_job_are_not_kept(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        submission = home.inpaint()
        await home.submit(submission)
        await home.ended(submission.key)
        await home.submit(home.inpaint())
        assert list(home.folders.all_inputs.iterdir()) == []
        assert list(home.folders.spool.iterdir()) == []


async def test_pictures_that_are_lost_fail_their_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        submission = home.inpaint()
        await home.submit(submission)
        (home.folders.inputs(submission.key) / "mask.png").unlink()
        gate.opened.set()
        failure = (await home.ended(submission.key)).snapshot.job.failure
        assert failure is not None
        assert failure.code is FailureCode.STORAGE_FAILED


async def test_pictures_that_cannot_be_kept_are_no_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        key = JobKey(JobType.IMAGE_TO_IMAGE, text_key("gone").id)
        missing = {"image": home.folders.spool / "missing"}
        with pytest.raises(StorageUnavailableError):
            await home.submit(Submission(key, ImageToImage(prompt="x"), missing))
        assert await home.find(key) is None


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
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate), job_timeout=0.1) as home:
        await home.submit(text("a"))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.failure is not None
        assert job.failure.code is FailureCode.TIMEOUT
        assert "0.1 seconds" in job.failure.message
        assert gate.closed == 1
        home.executor.scripts["b"] = Gate(opened=_set())
        await home.submit(text("b"))
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.COMPLETE


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def raises_at_once(task: Task) -> AsyncGenerator[Event, None]:
    yield Started(runner=str(1 // (task.seed - 42)))


async def raises_late(task: Task) -> AsyncGenerator[Event, None]:
    yield Progress(1, 0.5)
    raise TimeoutError("not the job's own")


async def ends_without_a_word(task: Task) -> AsyncGenerator[Event, None]:
    yield Started()


async def makes_too_few(task: Task) -> AsyncGenerator[Event, None]:
    yield Finished()


async def makes_no_file(task: Task) -> AsyncGenerator[Event, None]:
    yield ImageReady(1, task.workdir / "never.png")


async def makes_a_link(task: Task) -> AsyncGenerator[Event, None]:
    link = task.workdir / "1.png"
    link.symlink_to(__file__)
    yield ImageReady(1, link)


async def makes_a_folder(task: Task) -> AsyncGenerator[Event, None]:
    folder = task.workdir / "1.png"
    folder.mkdir()
    yield ImageReady(1, folder)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (raises_at_once, FailureCode.INTERNAL),
        (raises_late, FailureCode.INTERNAL),
        (ends_without_a_word, FailureCode.INTERNAL),
        (makes_too_few, FailureCode.IMAGES_MISSING),
        (makes_no_file, FailureCode.STORAGE_FAILED),
        (makes_a_link, FailureCode.STORAGE_FAILED),
        (makes_a_folder, FailureCode.STORAGE_FAILED),
    ],
)
async def test_the_dispatcher_survives_errors_of_a_job(
    tmp_path: Path, script: object, code: FailureCode
) -> None:
    async with house(tmp_path) as home:
        home.executor.scripts["bad"] = script  # type: ignore[assignment]  # parametrised
        await home.submit(text("bad"))
        await home.submit(text("good"))
        failed = (await home.ended(text_key("bad"))).snapshot.job
        assert failed.failure is not None
        assert failed.failure.code is code
        assert str(tmp_path) not in failed.failure.message
        assert (await home.ended(text_key("good"))).snapshot.job.status is Status.COMPLETE


async def test_a_folder_in_the_place_of_an_image_fails_the_job(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        (tmp_path / "text-to-image" / text_key("a").id / "1.png" / "x").mkdir(parents=True)
        await home.submit(text("a"))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.failure is not None
        assert job.failure.code is FailureCode.STORAGE_FAILED
        with pytest.raises(NotFoundError):
            await home.jobs.image(text_key("a"), 1)


async def test_links_in_the_output_folder_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1.png").write_bytes(b"secret")
    output = tmp_path / "output"
    async with house(output) as home:
        (output / "text-to-image" / text_key("a").id).symlink_to(elsewhere)
        (output / "text-to-image" / text_key("b").id).mkdir()
        (output / "text-to-image" / text_key("b").id / "1.png").symlink_to(elsewhere / "1.png")
        for name in "ab":
            assert await home.find(text_key(name)) is None
            with pytest.raises(NotFoundError):
                await home.jobs.image(text_key(name), 1)
        for name in "ab":
            await home.submit(text(name))
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.FAILED
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.COMPLETE
        assert not (await home.jobs.image(text_key("b"), 1)).is_symlink()
        assert (elsewhere / "1.png").read_bytes() == b"secret"


async def test_a_type_folder_that_became_a_link_is_not_used(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "output", tmp_path / "elsewhere"
    (elsewhere / text_key("a").id).mkdir(parents=True)
    (elsewhere / text_key("a").id / "1.png").write_bytes(b"secret")
    async with house(output) as home:
        (output / "text-to-image").rmdir()
        (output / "text-to-image").symlink_to(elsewhere)
        assert await home.find(text_key("a")) is None
        await home.submit(text("b"))
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.FAILED
        assert not (elsewhere / text_key("b").id).exists()


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


async def test_a_stop_requeues_running_jobs_in_their_order(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        for name in ("a", "b"):
            await home.submit(text(name, images=2, seed=None))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        listed = await home.jobs.image(text_key("a"), 2)
        await home.jobs.stop()
        assert gate.closed == 1
        assert home.changes(text_key("a"))[-1] is Change.REQUEUED
        stopped = await home.find(text_key("a"))
        assert stopped is not None
        assert (stopped.job.status, stopped.progress) == (Status.QUEUED, None)
        assert (stopped.job.attempts, stopped.job.images) == (0, 2)
        assert list(home.folders.work.iterdir()) == []
        upload = home.inpaint()
        for submission in (text("c"), upload):
            with pytest.raises(StoppingError):
                await home.submit(submission)
        assert list(home.folders.spool.iterdir()) == []
        first_life = home.executor.tasks
        image = listed.read_bytes()

    async with house(tmp_path) as home:
        await home.ended(text_key("b"))
        assert [task.id for task in home.executor.tasks] == [text_key(n).id for n in "ab"]
        assert home.executor.tasks[0].seed == first_life[0].seed
        assert listed.read_bytes() == image


async def test_a_submission_and_a_stop_at_once_leave_nothing_half_done(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        upload = home.inpaint()
        results = await asyncio.gather(
            home.submit(upload), home.jobs.stop(), return_exceptions=True
        )
        assert isinstance(results[0], StoppingError)
        assert await home.find(upload.key) is None
        assert list(home.folders.spool.iterdir()) == []


async def test_a_job_that_cannot_be_requeued_is_found_by_the_next_start(tmp_path: Path) -> None:
    output, away = tmp_path / "output", tmp_path / "away"
    gate = Gate()
    async with house(output, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        output.rename(away)
        await home.jobs.stop()
        assert gate.closed == 1
    away.rename(output)
    async with house(output) as home:
        assert home.events[0].change is Change.REQUEUED
        job = (await home.ended(text_key("a"))).snapshot.job
        assert (job.status, job.attempts) == (Status.COMPLETE, 2)


async def test_a_job_whose_row_is_gone_is_left(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    left = asyncio.Event()

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        try:
            yield Started()
            await go_on.wait()
            yield picture(task, 1)
            yield Finished()
        finally:
            left.set()

    async with house(tmp_path) as home:
        home.executor.scripts["a"] = script
        await home.submit(text("a"))
        await home.until(lambda event: event.change is Change.STARTED)
        await home.store.delete_incomplete()
        go_on.set()
        await asyncio.wait_for(left.wait(), SECONDS)
        await home.submit(text("b"))
        await home.ended(text_key("b"))
        assert home.changes(text_key("a")) == [Change.QUEUED, Change.STARTED]


async def test_an_invalid_row_does_not_stop_the_dispatcher(
    tmp_path: Path,
) -> None:
    stumbled = asyncio.Event()

    def hear(record: logging.LogRecord) -> bool:
        stumbled.set()
        return False

    def write_params(params: str) -> Callable[[sqlite3.Connection], object]:
        return lambda connection: connection.execute("UPDATE jobs SET params = ?", [params])

    log = logging.getLogger("sdrest.jobs.dispatcher")
    log.addFilter(hear)
    try:
        async with house(tmp_path) as home:
            gate = await home.occupy()
            submission = text("a")
            await home.submit(submission)
            await home.store._database.write(write_params("{"))
            gate.opened.set()
            await asyncio.wait_for(stumbled.wait(), SECONDS)
            whole = json.dumps(submission.params.dump())
            await home.store._database.write(write_params(whole))
            await home.ended(submission.key)
    finally:
        log.removeFilter(hear)


async def test_a_stop_while_idle_ends(tmp_path: Path) -> None:
    async with house(tmp_path, concurrency=4) as home:
        await home.jobs.stop()
        await home.jobs.stop()


async def test_a_client_that_disconnects_while_it_posts_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        submitting = asyncio.create_task(home.submit(text("a")))
        await asyncio.sleep(0)  # it has begun
        submitting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitting
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE


async def test_incomplete_jobs_are_deleted_on_request(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path) as home:
        await home.submit(text("done"))
        await home.ended(text_key("done"))
        home.executor.script = gate
        await home.submit(text("running", images=2))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        await home.submit(text("waiting"))
        await home.submit(home.inpaint())

    async with house(tmp_path, delete_incomplete=True) as home:
        for name in ("running", "waiting"):
            assert await home.find(text_key(name)) is None
        assert await home.waiting() == 0
        assert not home.folders.published(text_key("running")).exists()
        assert list(home.folders.all_inputs.iterdir()) == []
        done = await home.find(text_key("done"))
        assert done is not None
        assert done.job.status is Status.COMPLETE
        assert home.events == []


async def test_a_start_removes_stale_files_of_the_previous_run(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        folders = home.folders
        gate = await home.occupy()
        kept = home.inpaint("kept")
        await home.submit(kept)
        assert not gate.opened.is_set()
    (folders.spool / "upload").mkdir()
    (folders.spool / "file").write_bytes(b"")
    (folders.spool / "link").symlink_to(tmp_path)
    (folders.work / "text-to-image-x-1").mkdir()
    (folders.all_inputs / "inpaint-image-00000000000000000000000000000000").mkdir()
    (folders.all_inputs / "junk").mkdir()
    seen: list[list[str]] = []

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        seen.append([path.name for path in folders.all_inputs.iterdir()])
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(script)) as home:
        assert list(folders.spool.iterdir()) == []
        await home.ended(kept.key)
        assert seen == [[f"inpaint-image-{kept.key.id}"]] * 2
        assert list(folders.work.iterdir()) == []


async def test_an_emptied_output_folder_is_used_again(tmp_path: Path) -> None:
    output, away = tmp_path / "output", tmp_path / "away"
    async with house(output) as home:
        await home.submit(text("a"))
        await home.ended(text_key("a"))
        output.rename(away)
        with pytest.raises(StorageUnavailableError):
            await home.submit(text("b"))
        output.mkdir()
        assert await home.find(text_key("b")) is None
        await home.submit(text("b"))
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.COMPLETE
        assert await home.find(text_key("a")) is None


async def test_an_output_folder_that_returns_is_used_as_before(tmp_path: Path) -> None:
    output, away = tmp_path / "output", tmp_path / "away"
    gate = Gate()
    async with house(output, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        output.rename(away)
        with pytest.raises(StorageUnavailableError):
            await home.submit(text("b"))
        gate.opened.set()  # the job ends, which cannot be written down now
        with pytest.raises(StorageUnavailableError):
            await home.store.count(Status.QUEUED)
        away.rename(output)
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.status is Status.COMPLETE
