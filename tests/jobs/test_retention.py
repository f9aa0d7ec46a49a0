"""How long finished jobs are kept."""

import asyncio
from pathlib import Path

import pytest

from sdrest.errors import GoneError
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Status
from tests.support.jobs import Gate, House, ScriptedExecutor, house, text, text_key

pytestmark = pytest.mark.integration


async def run(home: House, *names: str) -> None:
    for name in names:
        await home.submit(text(name))
        await home.ended(text_key(name))


async def kept(home: House, names: str) -> str:
    """Return those of some jobs that are there still."""
    found = ""
    for name in names:
        try:
            assert await home.find(text_key(name)) is not None
        except GoneError:
            assert not home.folders.published(text_key(name)).exists()
        else:
            found += name
    return found


async def test_everything_is_kept_by_default(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await run(home, "a", "b")
    async with house(tmp_path) as home:
        assert await kept(home, "ab") == "ab"


async def test_keep_bytes_removes_the_oldest_jobs(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await run(home, "a")
        (job,) = (await home.jobs.page(limit=1))[0]
        size = job.job.size
        assert size == (await home.jobs.image(text_key("a"), 1)).stat().st_size
    async with house(tmp_path, keep_bytes=2 * size) as home:
        await run(home, "b", "c", "d")
    async with house(tmp_path) as home:
        assert await kept(home, "abcd") == "cd"


async def test_a_job_that_ends_while_an_older_one_is_removed_counts(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await run(home, "a", "b")
        (job,) = (await home.jobs.page(limit=1))[0]
    async with house(tmp_path, keep_bytes=2 * job.job.size) as home:
        async with home.jobs._context.locks.hold(text_key("a")):
            await run(home, "c", "d")
            stop = asyncio.create_task(home.jobs.stop())
            await home.jobs._context.stopping.wait()
        await stop
    async with house(tmp_path) as home:
        assert await kept(home, "abcd") == "cd"


async def test_keep_days_removes_old_jobs(tmp_path: Path) -> None:
    async with house(tmp_path, keep_days=1e-9) as home:
        await run(home, "a", "b")
    async with house(tmp_path, keep_days=1) as home:
        await run(home, "c")
    async with house(tmp_path) as home:
        assert await kept(home, "abc") == "c"


async def test_jobs_with_favourites_are_kept_and_do_not_count(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await run(home, "a", "b")
        (job,) = (await home.jobs.page(limit=1))[0]
        for name in "ab":
            await home.jobs.mark_favourite(text_key(name), 1, is_favourite=True)
        await home.jobs.mark_favourite(text_key("b"), 1, is_favourite=False)
    async with house(tmp_path, keep_bytes=2 * job.job.size) as home:
        await run(home, "c", "d")
    async with house(tmp_path) as home:
        assert await kept(home, "abcd") == "acd"


async def test_retention_keeps_jobs_that_wait_or_run(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate), keep_bytes=1) as home:
        await home.submit(text("a"))
        await gate.entered.wait()
        await home.submit(text("b"))
    async with house(tmp_path) as home:
        assert await kept(home, "ab") == "ab"


async def test_pictures_of_a_cancelled_job_count(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate), keep_bytes=6) as home:
        await home.submit(text("hold"))
        await gate.entered.wait()
        upload = home.inpaint()
        await home.submit(upload)
        size = sum(path.stat().st_size for path in home.folders.inputs(upload.key).iterdir())
        cancelled = await home.jobs.cancel(upload.key)
        assert (cancelled.job.status, cancelled.job.size) == (Status.CANCELLED, size)
    async with house(tmp_path) as home:
        assert list(Folders(tmp_path).all_inputs.iterdir()) == []
        with pytest.raises(GoneError):
            await home.find(upload.key)


async def test_an_image_that_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await run(home, "a")
        path = await home.jobs.image(text_key("a"), 1)
        whole = path.read_bytes()
        with path.open("rb", buffering=0) as image:
            start = image.read(10)
            await home.jobs.delete(text_key("a"))
            assert not path.exists()
            assert start + image.read() == whole
