"""A real disk that is really full: what is there is served, and deletions make room."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.engine.base import Event, Finished, Started, Task
from sdrest.errors import GoneError, StorageUnavailableError
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from sdrest.jobs.space import RESERVE_BYTES, Reserve
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
from tests.support.server import PATIENCE, Serve, Server
from tests.support.web import FORK

pytestmark = pytest.mark.integration

DISK_BYTES = 48 * 2**20
BIG = 12 * 2**20
"""Bytes of an image, padded by the test, whose deletion makes room for other jobs."""

FAKE = ("--repository", str(FORK), "--python", sys.executable)
SIZE = {"height": 256, "width": 256}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", size=DISK_BYTES) as disk:
        yield disk


class Client:
    """A client of a server, each of whose answers comes in time."""

    def __init__(self, http: aiohttp.ClientSession, output: Path) -> None:
        self._http = http
        self.output = output

    async def ask(self, method: str, path: str, **form: Any) -> tuple[int, Any]:
        async with (
            asyncio.timeout(10),
            self._http.request(method, path, allow_redirects=False, **form) as response,
        ):
            body = await response.read()
            if response.status == 302:
                return 302, response.headers["Location"]
            is_json = body and response.content_type == "application/json"
            return response.status, json.loads(body) if is_json else body

    async def submit(self, prompt: str, **fields: Any) -> str:
        status, job = await self.ask(
            "POST", "/text-to-image", json={"prompt": prompt, **SIZE, **fields}
        )
        assert status == 302, job
        return str(job)

    async def status(self, job: str) -> dict[str, Any]:
        status, answer = await self.ask("GET", job)
        assert status == 200, answer
        return dict(answer)

    async def reaches(self, job: str, *states: str) -> dict[str, Any]:
        """Return the status of a job once it is one of some."""
        async with asyncio.timeout(PATIENCE):
            while (answer := await self.status(job))["status"] not in states:
                await self.ask("GET", f"{job}?wait=1")
        return answer

    async def complete(self, prompt: str, *, padding: int = 0) -> str:
        """Run a job; pad its image to some bytes."""
        job = await self.submit(prompt)
        assert (await self.reaches(job, "COMPLETE", "FAILED"))["status"] == "COMPLETE"
        if padding:
            with (self.output / job.strip("/") / "1.png").open("ab") as image:
                image.write(bytes(padding))
        return job


@pytest.fixture
async def server(serve: Serve, disk: Path) -> AsyncIterator[Server]:
    async with serve(*FAKE, "--output", str(disk / "output"), warns=True) as server:
        yield server


@pytest.fixture
async def client(server: Server, disk: Path) -> AsyncIterator[Client]:
    async with server.client() as http:
        yield Client(http, disk / "output")


async def test_a_reserve_is_really_on_the_disk(client: Client, disk: Path) -> None:
    await client.complete("a")
    reserve = disk / "output/.sdrest/reserve"
    assert reserve.stat().st_size == min(RESERVE_BYTES, DISK_BYTES // 16)
    assert reserve.stat().st_blocks * 512 >= reserve.stat().st_size
    assert reserve.stat().st_mode & 0o777 == 0o600


async def test_a_full_disk_is_freed_through_the_server(client: Client, disk: Path) -> None:
    big = await client.complete("big", padding=BIG)
    small = await client.complete("small")
    fill(disk)
    assert (await client.status(small))["status"] == "COMPLETE"
    assert (await client.ask("GET", f"{small}/1.png"))[0] == 200
    assert (await client.ask("GET", "/jobs"))[0] == 200
    assert (await client.ask("GET", "/readyz"))[0] == 503
    status, refused = await client.ask("POST", "/text-to-image", json={"prompt": "x" * 9000})
    assert status == 503
    assert "disk of the output folder is full" in refused["error"]["message"]
    assert (await client.ask("DELETE", small))[0] == 204
    assert (await client.ask("GET", small))[0] == 410
    assert (await client.ask("DELETE", big))[0] == 204
    assert not (client.output / big.strip("/")).exists()
    await client.complete("after")
    assert (await client.ask("GET", "/readyz"))[0] == 200


async def test_many_jobs_are_deleted_from_a_full_disk(client: Client, disk: Path) -> None:
    jobs = [await client.complete(f"{number}") for number in range(12)]
    fill(disk)
    for job in jobs:
        assert (await client.ask("DELETE", job))[0] == 204
        fill(disk)  # somebody else takes what is freed


async def test_an_upload_to_a_full_disk_says_so(client: Client, disk: Path, tmp_path: Path) -> None:
    Image.effect_noise((512, 512), 90).convert("RGB").save(tmp_path / "image.png")
    big = await client.complete("big", padding=BIG)
    fill(disk)

    def form() -> dict[str, Any]:
        return {"prompt": "a", "image": (tmp_path / "image.png").open("rb")}

    status, refused = await client.ask("POST", "/image-to-image", data=form())
    assert (status, refused["error"]["code"]) == (503, "storage_unavailable")
    assert "disk of the output folder is full" in refused["error"]["message"]
    assert list((client.output / ".sdrest/spool").iterdir()) == []
    assert (await client.ask("DELETE", big))[0] == 204
    status, job = await client.ask("POST", "/image-to-image", data=form())
    assert status == 302
    assert (await client.reaches(job, "COMPLETE", "FAILED"))["status"] == "COMPLETE"


async def test_jobs_wait_for_a_full_disk_say_so_and_go_on_by_themselves(
    client: Client, disk: Path, tmp_path: Path
) -> None:
    big = await client.complete("big", padding=BIG)
    os.mkfifo(tmp_path / "gate")
    running = await client.submit(f"wait_between gate={tmp_path / 'gate'}", iterations=2)
    waiting, unwanted = await client.submit("waiting"), await client.submit("unwanted")
    while not (await client.status(running)).get("imageUrls"):
        await client.ask("GET", f"{running}?wait=1")
    fill(disk)
    await asyncio.to_thread((tmp_path / "gate").write_bytes, b"")
    ended = await client.reaches(running, "COMPLETE", "FAILED")
    assert (ended["status"], ended["error"]["code"]) == ("FAILED", "storage_failed")
    fill(disk)
    while "waiting" not in (answer := await client.status(waiting)):
        await client.ask("GET", f"{waiting}?wait=1")
    assert answer["status"] == "QUEUED"
    assert answer["waiting"]["code"] == "storage_unavailable"
    assert "full" in answer["waiting"]["message"]
    status, cancelled = await client.ask("POST", f"{unwanted}/cancel")
    assert (status, cancelled["status"]) == (200, "CANCELLED")
    assert (await client.ask("DELETE", big))[0] == 204
    answer = await client.reaches(waiting, "COMPLETE", "FAILED")
    assert answer["status"] == "COMPLETE"
    assert "waiting" not in answer


async def test_a_running_job_is_cancelled_on_a_full_disk(
    client: Client, disk: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    running = await client.submit(f"wait_between gate={tmp_path / 'gate'}", iterations=2)
    while not (await client.status(running)).get("imageUrls"):
        await client.ask("GET", f"{running}?wait=1")
    fill(disk)
    status, cancelled = await client.ask("POST", f"{running}/cancel")
    assert (status, cancelled["status"]) == (200, "CANCELLED")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("reserve", [True, False])
async def test_a_server_starts_on_a_full_disk(
    serve: Serve, disk: Path, ending: signal.Signals, *, reserve: bool
) -> None:
    flags = (*FAKE, "--output", str(disk / "output"))
    left = 0 if ending is signal.SIGTERM else -ending
    async with serve(*flags, warns=True, status=left) as server, server.client() as http:
        client = Client(http, disk / "output")
        jobs = [await client.complete("a"), await client.complete("big", padding=BIG)]
        server.process.send_signal(ending)
        await server.ended()
    if not reserve and ending is signal.SIGKILL:  # after a stop it has what the log took
        (disk / "output/.sdrest/reserve").unlink()
    fill(disk)
    async with serve(*flags, warns=True) as server, server.client() as http:
        client = Client(http, disk / "output")
        for job in jobs:
            assert (await client.status(job))["status"] == "COMPLETE"
            assert (await client.ask("GET", f"{job}/1.png"))[0] == 200
        for job in jobs if reserve else reversed(jobs):  # the first one frees less than it takes
            assert (await client.ask("DELETE", job))[0] == 204
        await client.complete("after")


async def test_old_jobs_are_removed_from_a_full_disk(disk: Path) -> None:
    async with house(disk / "output") as home:
        await home.queue.submit(text("old"))
        await home.ended(text_key("old"))
    fill(disk)
    async with house(disk / "output", keep_days=1e-9) as home:
        await home.until(lambda event: event.change is Change.DELETED)
    assert not home.folders.published(text_key("old")).exists()


def leave_no_room(home: House, disk: Path) -> Path:
    """Fill the disk, the reserve and what the table's log has taken included."""
    home.store.reserve.release_all()
    (home.folders.private / "reserve").mkdir()
    with contextlib.closing(sqlite3.connect(home.folders.database)) as table:
        table.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return fill(disk)


async def test_files_go_first_where_a_row_has_no_room(disk: Path) -> None:
    async with house(disk / "output") as home:
        await home.queue.submit(text("a"))
        await home.ended(text_key("a"))
        with (home.folders.published(text_key("a")) / "1.png").open("ab") as image:
            image.write(bytes(BIG))
        leave_no_room(home, disk)
        await home.queue.delete(text_key("a"))
        assert not home.folders.published(text_key("a")).exists()
        with pytest.raises(GoneError):
            await home.queue.get(text_key("a"))


async def test_a_job_that_ends_without_room_says_so_and_a_cancellation_is_answered(
    disk: Path,
) -> None:
    gate = Gate()
    async with house(disk / "output", ScriptedExecutor(gate)) as home:
        await home.queue.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        ballast = leave_no_room(home, disk)
        gate.opened.set()
        event = await home.until(lambda event: event.change is Change.WAITING)
        assert event.snapshot.waiting is not None
        assert "full" in event.snapshot.waiting
        snapshot = await home.queue.get(text_key("a"))
        assert snapshot.job.status is Status.IN_PROGRESS
        assert snapshot.waiting == event.snapshot.waiting
        async with asyncio.timeout(SECONDS):
            with pytest.raises(StorageUnavailableError, match="full"):
                await home.queue.cancel(text_key("a"))
        ballast.unlink()
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE
        assert (await home.queue.get(text_key("a"))).waiting is None


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
        await home.queue.submit(text("a", images=2))
        await asyncio.wait_for(begun.wait(), SECONDS)
        ballast = leave_no_room(home, disk)
        go.set()
        await home.until(lambda event: event.change is Change.WAITING)
        cancelled = asyncio.create_task(home.queue.cancel(text_key("a")))
        with pytest.raises(StorageUnavailableError, match="full"):
            await asyncio.wait_for(cancelled, SECONDS)
        ballast.unlink()
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.CANCELLED


async def test_a_job_without_room_is_deleted(disk: Path) -> None:
    gate = Gate()
    async with house(disk / "output", ScriptedExecutor(gate)) as home:
        await home.queue.submit(text("a"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        with (home.folders.published(text_key("a")) / "1.png").open("ab") as image:
            image.write(bytes(BIG))
        leave_no_room(home, disk)
        async with asyncio.timeout(SECONDS):
            await home.queue.delete(text_key("a"))
        with pytest.raises(GoneError):
            await home.queue.get(text_key("a"))


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
