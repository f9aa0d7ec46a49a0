"""A script that a signal has ended: its job waits for the stop that may follow."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Requeue, Started, Task
from sdrest.errors import Failure, FailureCode
from sdrest.jobs import context
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.support.jobs import SECONDS, Gate, House, ScriptedExecutor, house, text, text_key

pytestmark = pytest.mark.integration

KILLED = Failure(FailureCode.KILLED, "The script was killed by SIGTERM. Submit the request again.")


@dataclass
class Signalled:
    """A script that a signal ends at once; `ended` is set behind its last event."""

    failure: Failure = KILLED
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        try:
            yield Finished(self.failure, requeue=Requeue.IF_STOPPING)
        finally:
            self.ended.set()


async def status(home: House, name: str) -> Status:
    return (await home.jobs.get(text_key(name))).job.status


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stop follow as late as it likes."""
    monkeypatch.setattr(context, "STOP_SECONDS", SECONDS)


@pytest.mark.usefixtures("patient")
async def test_no_job_starts_while_a_stop_may_follow(tmp_path: Path) -> None:
    signalled, gate = Signalled(), Gate()
    executor = ScriptedExecutor(scripts={"a": signalled, "b": gate})
    async with house(tmp_path, executor, concurrency=2) as home:
        for name in "abc":
            await home.submit(text(name))
        async with asyncio.timeout(SECONDS):
            await signalled.ended.wait()
            await gate.entered.wait()
            while not home.jobs._context.stops_expected:  # noqa: ASYNC110 (there is no event for that)
                await asyncio.sleep(0)
        gate.opened.set()
        await home.ended(text_key("b"))
        await home.submit(text("d"))  # the dispatcher looks at the queue meanwhile
        await home.jobs.stop()
        assert [await status(home, name) for name in "abcd"] == [
            *(Status.QUEUED, Status.COMPLETE, Status.QUEUED, Status.QUEUED)
        ]
        assert [task.params.model_dump()["prompt"] for task in executor.tasks] == ["a", "b"]


async def test_without_a_stop_the_job_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    executor = ScriptedExecutor(scripts={"a": Signalled()})
    async with house(tmp_path, executor) as home:
        await home.submit(text("a"))
        await home.submit(text("b"))
        assert (await home.ended(text_key("a"))).snapshot.job.failure == KILLED
        assert (await home.ended(text_key("b"))).snapshot.job.status is Status.COMPLETE


@pytest.mark.usefixtures("patient")
async def test_a_job_can_be_cancelled_while_a_stop_may_follow(tmp_path: Path) -> None:
    signalled = Signalled()
    async with house(tmp_path, ScriptedExecutor(signalled)) as home:
        await home.submit(text("a"))
        async with asyncio.timeout(SECONDS):
            await signalled.ended.wait()
            assert (await home.jobs.cancel(text_key("a"))).job.status is Status.CANCELLED


async def test_a_wrong_model_fails_at_once_during_a_stop_too(tmp_path: Path) -> None:
    wrong = Failure(FailureCode.MODEL_INVALID, "The model checkpoint cannot be loaded.")
    async with house(tmp_path, ScriptedExecutor(Signalled(wrong))) as home:
        await home.submit(text("a"))
        assert (await home.ended(text_key("a"))).snapshot.job.failure == wrong
        assert Change.REQUEUED not in home.changes(text_key("a"))
