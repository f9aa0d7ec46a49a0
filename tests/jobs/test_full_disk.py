"""A real disk that is really full: what is there is served, and deletions make room."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.jobs.bus import Change
from sdrest.jobs.space import RESERVE_BYTES
from tests.support.disk import fill, mounted
from tests.support.jobs import (
    house,
    text,
    text_key,
)
from tests.support.server import PATIENCE, Serve, Server
from tests.support.web import FORK

pytestmark = pytest.mark.integration

BIG = 12 * 2**20
"""Bytes of an image, padded by the test, whose deletion makes room for other jobs."""


DISK_BYTES = 48 * 2**20


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
            asyncio.timeout(PATIENCE),
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


async def test_a_full_disk_is_freed_through_the_server_which_has_a_reserve(
    client: Client, disk: Path
) -> None:
    big = await client.complete("big", padding=BIG)
    reserve = (disk / "output/.sdrest/reserve").stat()
    assert reserve.st_size == min(RESERVE_BYTES, DISK_BYTES // 16)
    assert reserve.st_blocks * 512 >= reserve.st_size  # it is really on the disk
    assert reserve.st_mode & 0o777 == 0o600
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


async def test_an_upload_to_a_full_disk_says_so_and_many_jobs_are_deleted(
    client: Client, disk: Path, tmp_path: Path
) -> None:
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
    jobs = [await client.complete(f"{number}") for number in range(9)]
    fill(disk)
    for job in jobs:
        assert (await client.ask("DELETE", job))[0] == 204
        fill(disk)  # somebody else takes what is freed


async def test_jobs_wait_for_a_full_disk_say_so_are_cancelled_and_go_on_by_themselves(
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
    running = await client.submit(f"wait_between again gate={tmp_path / 'gate'}", iterations=2)
    while not (await client.status(running)).get("imageUrls"):
        await client.ask("GET", f"{running}?wait=1")
    fill(disk)
    status, cancelled = await client.ask("POST", f"{running}/cancel")
    assert (status, cancelled["status"]) == (200, "CANCELLED")


@pytest.mark.parametrize(
    ("ending", "reserve"),
    [(signal.SIGTERM, True), (signal.SIGKILL, True), (signal.SIGKILL, False)],
)
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
    if not reserve:  # only after a kill: after a stop it has what the log took
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
        await home.submit(text("old"))
        await home.ended(text_key("old"))
    fill(disk)
    async with house(disk / "output", keep_days=1e-9) as home:
        await home.until(lambda event: event.change is Change.DELETED)
    assert not home.folders.published(text_key("old")).exists()
