"""A stop requeues what runs; a start recovers, removes stale files and finds its folder again."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Task
from sdrest.errors import (
    StoppingError,
    StorageUnavailableError,
)
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.support.jobs import (
    SECONDS,
    Gate,
    ScriptedExecutor,
    house,
    picture,
    text,
    text_key,
)

pytestmark = pytest.mark.integration


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


async def test_a_stop_while_idle_ends(tmp_path: Path) -> None:
    async with house(tmp_path, concurrency=4) as home:
        await home.jobs.stop()
        await home.jobs.stop()


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
            await count(home.store, Status.QUEUED)
        away.rename(output)
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.status is Status.COMPLETE
