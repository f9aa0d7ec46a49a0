"""What holds for the runs of all executors."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from sdrest.engine.base import (
    Event,
    Finished,
    ImageReady,
    Output,
    Progress,
    Requeue,
    Started,
    Task,
)
from sdrest.errors import Failure, FailureCode
from sdrest.execution import execute
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from sdrest.params import TextToImage
from tests.support.jobs import SECONDS, Script, ScriptedExecutor, draw, house, text, text_key

pytestmark = pytest.mark.integration

LOST = Failure(FailureCode.KILLED, "The machine of the job was lost. Submit the request again.")


def events_of(script: Script, folder: Path, end_seconds: float = 0) -> AsyncGenerator[Event, None]:
    task = Task(id="", params=TextToImage(prompt="", iterations=2), seed=0, workdir=folder)
    executor = ScriptedExecutor(script)
    return execute(executor, task, folder=folder, with_metadata=False, end_seconds=end_seconds)


async def test_progress_never_goes_back_and_is_full_with_the_image(tmp_path: Path) -> None:
    one, two = ImageReady(1, tmp_path / "one"), ImageReady(2, tmp_path / "two")

    async def script(_: Task) -> AsyncGenerator[Event, None]:
        for event in (
            *(Started(), Progress(1, 0.5), Progress(1, 0.2), Output(), Progress(1, 1.0)),
            *(one, Progress(1, 0.9), Progress(2, 0.0), Progress(2, 0.0), two, Finished()),
        ):
            yield event

    assert [event async for event in events_of(script, tmp_path)] == [
        *(Started(), Progress(1, 0.5), Output(), one, Progress(1, 1.0)),
        *(Progress(2, 0.0), two, Progress(2, 1.0), Finished()),
    ]


async def test_an_executor_goes_on_when_its_image_was_taken(tmp_path: Path) -> None:
    going_on = asyncio.Event()

    async def script(_: Task) -> AsyncGenerator[Event, None]:
        yield ImageReady(1, tmp_path / "one")
        going_on.set()
        yield Finished()

    async with aclosing(events_of(script, tmp_path)) as events:
        await anext(events)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not going_on.is_set()
        assert [event async for event in events] == [Progress(1, 1.0), Finished()]
    assert going_on.is_set()


async def test_an_executor_that_does_not_end_a_run_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answered = asyncio.Event()

    async def script(_: Task) -> AsyncGenerator[Event, None]:
        try:
            yield Started()
            await asyncio.Event().wait()
        finally:
            await answered.wait()

    events = events_of(script, tmp_path, end_seconds=0.05)
    assert await anext(events) == Started()
    async with asyncio.timeout(SECONDS):
        await events.aclose()
    assert "did not end a run within 0.05 seconds" in caplog.text
    answered.set()


async def test_an_error_of_an_executor_is_raised(tmp_path: Path) -> None:
    async def script(_: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        [event async for event in events_of(script, tmp_path)]


async def test_a_job_whose_machine_was_lost_runs_again(tmp_path: Path) -> None:
    executor = ScriptedExecutor()

    async def lost_once(task: Task) -> AsyncGenerator[Event, None]:
        if len(executor.tasks) == 1:
            yield Started()
            yield Finished(LOST, requeue=Requeue.YES)
            return
        async for event in draw(task):
            yield event

    executor.script = lost_once
    async with house(tmp_path, executor) as home:
        await home.submit(text("a"))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert (job.status, job.attempts, len(executor.tasks)) == (Status.COMPLETE, 1, 2)
        assert Change.REQUEUED in home.changes(text_key("a"))


async def test_timeouts_start_with_the_script(tmp_path: Path) -> None:
    limit = 1.0
    failure = Failure(FailureCode.OUT_OF_MEMORY, "There is too little memory.")

    async def late(_: Task) -> AsyncGenerator[Event, None]:
        start = asyncio.Event()
        asyncio.get_running_loop().call_later(1.5 * limit, start.set)
        await start.wait()
        yield Started()
        yield Finished(failure)  # an image would have to wait for the disk, within the limit

    executor = ScriptedExecutor(late)
    async with house(tmp_path, executor, job_timeout=limit, stall_timeout=limit) as home:
        await home.submit(text("a"))
        assert (await home.ended(text_key("a"))).snapshot.job.failure == failure
