"""Errors of one job, of its files or of its row do not stop the dispatcher."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.errors import (
    FailureCode,
    NotFoundError,
)
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.support.jobs import (
    SECONDS,
    house,
    picture,
    text,
    text_key,
)

pytestmark = pytest.mark.integration


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
    logged = asyncio.Event()

    def hear(record: logging.LogRecord) -> bool:
        logged.set()
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
            await asyncio.wait_for(logged.wait(), SECONDS)
            whole = json.dumps(submission.params.dump())
            await home.store._database.write(write_params(whole))
            await home.ended(submission.key)
    finally:
        log.removeFilter(hear)
