"""Jobs that end or are deleted on a disk without any room, and the reserve."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Started, Task
from sdrest.errors import GoneError, StorageUnavailableError
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from sdrest.jobs.space import Reserve
from tests.support.disk import fill, mounted
from tests.support.jobs import (
    SECONDS,
    Gate,
    House,
    ScriptedExecutor,
    house,
    picture,
    text,
    text_key,
)

pytestmark = pytest.mark.integration

BIG = 12 * 2**20
"""Bytes of an image, padded by the test, whose deletion makes room for other jobs."""


DISK_BYTES = 48 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size=DISK_BYTES) as disk:
        yield disk


def leave_no_room(home: House, disk: Path) -> Path:
    """Fill the disk, the reserve and what the table's log has taken included."""
    home.store.reserve.release_all()
    (home.folders.private / "reserve").mkdir()
    with contextlib.closing(sqlite3.connect(home.folders.database)) as table:
        table.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return fill(disk)


async def test_files_go_first_where_a_row_has_no_room(disk: Path) -> None:
    async with house(disk / "output") as home:
        await home.submit(text("a"))
        await home.ended(text_key("a"))
        with (home.folders.published(text_key("a")) / "1.png").open("ab") as image:
            image.write(bytes(BIG))
        leave_no_room(home, disk)
        await home.jobs.delete(text_key("a"))
        assert not home.folders.published(text_key("a")).exists()
        with pytest.raises(GoneError):
            await home.jobs.get(text_key("a"))


async def test_a_job_that_ends_without_room_says_so_and_a_cancellation_is_answered(
    disk: Path,
) -> None:
    gate = Gate()
    async with house(disk / "output", ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        ballast = leave_no_room(home, disk)
        gate.opened.set()
        event = await home.until(lambda event: event.change is Change.WAITING)
        assert event.snapshot.waiting is not None
        assert "full" in event.snapshot.waiting.message
        snapshot = await home.jobs.get(text_key("a"))
        assert snapshot.job.status is Status.IN_PROGRESS
        assert snapshot.waiting == event.snapshot.waiting
        async with asyncio.timeout(SECONDS):
            with pytest.raises(StorageUnavailableError, match="full"):
                await home.jobs.cancel(text_key("a"))
        ballast.unlink()
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE
        assert (await home.jobs.get(text_key("a"))).waiting is None


async def test_a_job_that_lists_an_image_without_room_says_so_and_is_cancelled(disk: Path) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def script(task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        yield picture(task, 1)
        ready = picture(task, 2)
        begun.set()
        await go.wait()
        yield ready
        yield Finished()

    async with house(disk / "output", ScriptedExecutor(script)) as home:
        await home.submit(text("a", images=2))
        await asyncio.wait_for(begun.wait(), SECONDS)
        ballast = leave_no_room(home, disk)
        go.set()
        await home.until(lambda event: event.change is Change.WAITING)
        cancelled = asyncio.create_task(home.jobs.cancel(text_key("a")))
        with pytest.raises(StorageUnavailableError, match="full"):
            await asyncio.wait_for(cancelled, SECONDS)
        ballast.unlink()
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.CANCELLED


async def test_a_job_without_room_is_deleted(disk: Path) -> None:
    gate = Gate()
    async with house(disk / "output", ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        with (home.folders.published(text_key("a")) / "1.png").open("ab") as image:
            image.write(bytes(BIG))
        leave_no_room(home, disk)
        async with asyncio.timeout(SECONDS):
            await home.jobs.delete(text_key("a"))
        with pytest.raises(GoneError):
            await home.jobs.get(text_key("a"))


def test_a_reserve_is_freed_in_parts_and_restored(disk: Path) -> None:
    reserve = Reserve(disk / "reserve")
    reserve.restore()
    size = (disk / "reserve").stat().st_size
    ballast = fill(disk)
    assert reserve.release()
    assert 0 < (disk / "reserve").stat().st_size < size
    reserve.restore()
    assert (disk / "reserve").stat().st_size < size
    while reserve.release():
        assert (disk / "reserve").stat().st_size < size
    ballast.unlink()
    reserve.restore()
    assert (disk / "reserve").stat().st_size == size
