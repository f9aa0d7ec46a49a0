"""Jobs that only some machines can run, and jobs whose machine was lost."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Need, Requeue, Started, Task
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs import losses
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from sdrest.params import TextToImage
from tests.support.jobs import Submission, draw, house, picture, text, text_key

pytestmark = pytest.mark.integration

TEXT = JobType.TEXT_TO_IMAGE
GONE = Failure(FailureCode.KILLED, "The worker attic does not answer any more.")


def with_model(name: str, model: str) -> Submission:
    return Submission(text_key(name), TextToImage(prompt=name, seed=1, model=model))


async def test_a_job_that_no_free_machine_can_run_does_not_block_others(tmp_path: Path) -> None:
    async with house(tmp_path, concurrency=2) as home:
        home.executor.needs = set()
        home.executor.obstacle = "No machine has it."
        for submission in (with_model("a", "a.ckpt"), with_model("b", "b.ckpt"), text("c")):
            await home.submit(submission)
        waiting = (await home.jobs.get(text_key("a"))).waiting
        assert waiting == (FailureCode.NO_WORKER, "No machine has it.")
        home.executor.needs = {Need(TEXT, "b.ckpt"), Need(TEXT)}
        for changed in home.executor.watchers:
            changed()
        for name in "bc":
            assert (await home.ended(text_key(name))).snapshot.job.status is Status.COMPLETE
        first = await home.jobs.get(text_key("a"))
        assert (first.job.status, first.queue_position) == (Status.QUEUED, 1)
        home.executor.needs = None
        for changed in home.executor.watchers:
            changed()
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE


async def test_a_lost_job_runs_again_without_counting_and_lists_no_image_twice(
    tmp_path: Path,
) -> None:
    async def lose(task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        yield picture(task, 1)
        home.executor.scripts["a"] = draw
        yield Finished(GONE, requeue=Requeue.YES)

    async with house(tmp_path) as home:
        home.executor.scripts["a"] = lose
        await home.submit(text("a", images=2))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert (job.status, job.images, job.attempts) == (Status.COMPLETE, 2, 1)
        assert Change.REQUEUED in home.changes(text_key("a"))
        listed = [e.snapshot.job.images for e in home.events if e.change is Change.IMAGE]
        assert listed == sorted(listed)


async def test_a_job_that_is_lost_again_and_again_fails_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(_: Task) -> AsyncGenerator[Event, None]:
        yield Finished(GONE, requeue=Requeue.YES)

    monkeypatch.setattr(losses, "_LONGEST_PAUSE", 0.01)
    async with house(tmp_path) as home:
        home.executor.scripts["a"] = lose
        await home.submit(text("a"))
        job = (await home.ended(text_key("a"))).snapshot.job
        assert job.failure
        assert job.failure.code is FailureCode.NO_WORKER
        assert len(home.executor.tasks) == losses.MAX_LOSSES
        home.executor.scripts["a"] = draw
        await home.submit(text("a"))
        await home.until(lambda event: event.snapshot.job.status is Status.COMPLETE)
