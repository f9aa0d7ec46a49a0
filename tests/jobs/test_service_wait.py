"""`JobService.wait`, and jobs that are submitted and read without a web request."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from sdrest.errors import GoneError, InvalidRequestError, NotFoundError
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.jobs.model import JobKey, Snapshot, Status
from sdrest.params import ImageToImage, TextToImage
from tests.support.jobs import (
    SECONDS,
    Gate,
    ScriptedExecutor,
    content,
    house,
    text,
    text_key,
    upload,
)

pytestmark = pytest.mark.integration


async def test_wait_returns_a_job_at_its_end(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        waiting = [asyncio.create_task(home.jobs.wait(text_key("a"), SECONDS)) for _ in range(3)]
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        gate.opened.set()
        for snapshot in await asyncio.gather(*waiting):
            assert snapshot.job.status is Status.COMPLETE
        assert (await home.jobs.wait(text_key("a"), 0)).job.status is Status.COMPLETE


async def test_wait_returns_a_job_as_it_is_after_its_seconds(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        assert (await home.jobs.wait(text_key("a"), 0.01)).job.status is Status.IN_PROGRESS


async def test_wait_returns_a_job_once_a_condition_is_true(tmp_path: Path) -> None:
    gate = Gate()

    def has_started(snapshot: Snapshot) -> bool:
        return snapshot.job.status is Status.IN_PROGRESS

    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        snapshot = await home.jobs.wait(text_key("a"), SECONDS, until=has_started)
        assert snapshot.job.status is Status.IN_PROGRESS


async def test_wait_ends_with_its_job_and_with_the_service(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        with pytest.raises(NotFoundError):
            await home.jobs.wait(text_key("a"), SECONDS)
        for name in "ab":
            await home.submit(text(name))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        deleted, stopped = (
            asyncio.create_task(home.jobs.wait(text_key(name), 10 * SECONDS)) for name in "ab"
        )
        await asyncio.sleep(0)  # both wait
        await home.jobs.delete(text_key("a"))
        with pytest.raises(GoneError):
            await asyncio.wait_for(deleted, SECONDS)
        await home.jobs.stop()
        assert (await asyncio.wait_for(stopped, SECONDS)).job.status is Status.QUEUED


async def test_a_job_of_a_picture_and_a_key_of_its_own(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        key = JobKey(JobType.IMAGE_TO_IMAGE, uuid4().hex)
        params = ImageToImage(prompt="a", iterations=2)
        picture = {"image": upload(home.uploads / "picture")}
        job = await home.jobs.submit(params, picture, key=key)
        assert job.status is Status.QUEUED
        assert (await home.jobs.wait(key, SECONDS)).job.status is Status.COMPLETE
        (task,) = home.executor.tasks
        images = [path.read_bytes() for path in await home.jobs.images(key)]
        assert images == [content(task, index) for index in (1, 2)]
        assert picture["image"].exists()  # it stays its owner's


async def test_wrong_pictures_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        broken = home.uploads / "broken"
        broken.write_bytes(b"no picture")
        key = JobKey(JobType.IMAGE_TO_IMAGE, uuid4().hex)
        good = upload(home.uploads / "good")
        for uploads in ({"image": broken}, {}, {"mask": good}, {"image": good, "other": good}):
            with pytest.raises(InvalidRequestError):
                await home.jobs.submit(ImageToImage(prompt="a"), uploads, key=key)
        with pytest.raises(InvalidRequestError):
            await home.jobs.submit(TextToImage(prompt="a"), {"image": good}, key=text_key("a"))
        assert await home.find(key) is None
        assert list(home.folders.spool.iterdir()) == []
        assert list(home.folders.all_inputs.iterdir()) == []
        (error,) = await home.jobs.check_pictures({"image": broken})
        assert error.field == "image"
        assert await home.jobs.check_pictures({"image": good}) == ()


async def test_a_random_seed_is_drawn_again_where_the_key_is_taken(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.submit(text("a"))
        draws = iter([(text_key("a"), 1), (text_key("b"), 2)])
        job = await home.jobs.submit(
            TextToImage(prompt="x", seed=None),
            key=text_key("a"),
            seed=0,
            redraw=lambda: next(draws),
        )
        assert (job.key, job.seed) == (text_key("b"), 2)


async def test_events_are_published_to_subscribers(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        seen: list[Change] = []
        unsubscribe = home.jobs.events.subscribe(lambda event: seen.append(event.change))
        await home.submit(text("a"))
        await home.ended(text_key("a"))
        unsubscribe()
        assert (seen[0], seen[-1]) == (Change.QUEUED, Change.FINISHED)
