"""Cancel, delete and retry where they meet crashes, stops and each other."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdrest.errors import ConflictError, GoneError, NotFoundError, QueueFullError, StoppingError
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import JobKey, Snapshot, Status
from tests.support.jobs import SECONDS, Gate, ScriptedExecutor, house, text, text_key

pytestmark = pytest.mark.integration


@contextlib.contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    """Put a file in the place of a folder, which works for root as well."""
    away = folder.with_name(f"{folder.name}-away")
    folder.rename(away)
    folder.write_bytes(b"")
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


def _completes(key: JobKey) -> Callable[[JobEvent], bool]:
    return lambda event: (
        event.snapshot.job.key == key and (event.snapshot.job.status is Status.COMPLETE)
    )


async def test_an_interrupted_delete_is_finished_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Folders(tmp_path).published(text_key("a"))
    async with house(tmp_path) as home:
        await home.submit(text("a"))
        await home.ended(text_key("a"))
        with unreadable(folder.parent):
            await home.jobs.delete(text_key("a"))
        assert (folder / "1.png").exists()
        with pytest.raises(GoneError):
            await home.jobs.image(text_key("a"), 1)
        with pytest.raises(GoneError):
            await home.find(text_key("a"))
    assert "remain until the next start" in caplog.text

    (folder / "2.png").mkdir()  # which cannot be removed as a file
    async with house(tmp_path) as home:
        assert await home.store.deleted_with_files() == [text_key("a")]
    assert "cannot be removed" in caplog.text
    (folder / "2.png").rmdir()

    async with house(tmp_path) as home:
        assert not folder.exists()
        with pytest.raises(GoneError):
            await home.find(text_key("a"))
        assert await home.store.deleted_with_files() == []


async def test_stale_files_of_a_deleted_job_are_not_used_by_its_next_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with house(tmp_path) as home:
        await home.submit(text("a"))
        await home.ended(text_key("a"))
        with unreadable(tmp_path / "text-to-image"):
            await home.jobs.delete(text_key("a"))
        gate = await home.occupy()
        assert (await home.submit(text("a"))).status is Status.QUEUED
        with pytest.raises(NotFoundError):
            await home.jobs.image(text_key("a"), 1)
        home.events.clear()
        gate.opened.set()
        await home.ended(text_key("a"))
        assert len(home.executor.tasks) == 3


async def test_a_running_job_that_the_dispatcher_does_not_know_is_cancelled(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        await home.submit(text("a"))
        with sqlite3.connect(home.folders.database) as other:  # as after a mistake of the server
            other.execute("UPDATE jobs SET status = 'IN_PROGRESS' WHERE status = 'QUEUED'")
        other.close()
        cancelled = await home.jobs.cancel(text_key("a"))
        assert cancelled.job.status is Status.CANCELLED
        assert home.changes(text_key("a")) == [Change.QUEUED, Change.FINISHED]
        gate.opened.set()


async def test_a_cancel_at_every_moment_of_a_run_leaves_a_sound_job(tmp_path: Path) -> None:
    async with house(tmp_path, concurrency=2) as home:
        for turns in range(60):
            name = f"job {turns}"
            await home.submit(text(name, images=2))
            for _ in range(turns):
                await asyncio.sleep(0)
            async with asyncio.timeout(SECONDS):
                snapshot = await home.jobs.cancel(text_key(name))
            assert snapshot.job.status in {Status.CANCELLED, Status.COMPLETE}
            for number in range(1, snapshot.job.images + 1):
                assert (await home.jobs.image(text_key(name), number)).exists()
            if snapshot.job.status is Status.CANCELLED:
                await home.jobs.retry(text_key(name))
                await home.until(_completes(text_key(name)))
        assert list(home.folders.work.iterdir()) == []


async def test_a_retry_keeps_the_seed_be_it_random_or_given(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        gate = await home.occupy()
        for name, seed in {"random": None, "given": 7}.items():
            first = await home.submit(text(name, seed=seed))
            await home.jobs.cancel(text_key(name))
            again = await home.jobs.retry(text_key(name))
            assert again.seed == first.seed
            assert again.params == first.params
        gate.opened.set()


async def test_retry_is_refused_by_a_full_queue_and_during_a_stop(tmp_path: Path) -> None:
    async with house(tmp_path, max_waiting=1) as home:
        gate = await home.occupy()
        upload = home.inpaint()
        await home.submit(upload)
        with pytest.raises(ConflictError):
            await home.jobs.retry(upload.key)
        await home.jobs.cancel(upload.key)
        await home.submit(text("b"))
        with pytest.raises(QueueFullError):
            await home.jobs.retry(upload.key)
        with pytest.raises(QueueFullError):
            await home.submit(home.inpaint())
        await home.jobs.cancel(text_key("b"))
        assert (await home.jobs.retry(upload.key)).status is Status.QUEUED  # its pictures stayed
        gate.opened.set()
        await home.jobs.stop()
        with pytest.raises(StoppingError):
            await home.jobs.retry(upload.key)


async def test_a_job_is_cancelled_while_the_server_stops(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        stopping = asyncio.create_task(home.jobs.stop(grace=SECONDS))
        await asyncio.sleep(0)
        assert (await home.jobs.cancel(text_key("a"))).job.status is Status.CANCELLED
        await asyncio.wait_for(stopping, SECONDS)


async def test_a_job_that_comes_back_is_never_unknown(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        for _ in range(30):
            await home.jobs.delete(text_key("a"))
            looks = [home.find(text_key("a")) for _ in range(4)]
            first, again, *others = await asyncio.gather(
                *looks[:1], home.submit(text("a")), *looks[1:], return_exceptions=True
            )
            assert not isinstance(again, BaseException)
            for found in (first, *others):
                assert isinstance(found, GoneError | Snapshot)
