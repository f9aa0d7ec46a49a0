"""A server that dies by SIGKILL loses nothing that it has answered."""

import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sdrest.errors import FailureCode
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.support.jobs import SECONDS, House, house, text_key, value_of
from tests.support.paths import ROOT

pytestmark = pytest.mark.integration

VICTIM = '''
"""Submits jobs and runs them; tells each answer and each listed image on stdout."""
import asyncio, json, os, pathlib, sys
from sdrest.engine.base import Finished
from sdrest.jobs.bus import Change
from tests.support.jobs import ScriptedExecutor, draw, house, text

def say(*words):
    os.write(1, (json.dumps(words) + "\\n").encode())

def listen(event):
    if event.change is Change.IMAGE:
        say("image", event.snapshot.job.params["prompt"], event.snapshot.job.images)

async def dies(task):
    say("dying")
    await asyncio.Event().wait()
    yield Finished()

async def beside(task):
    if life != "2":  # then nothing runs beside it
        say("beside")
        await asyncio.Event().wait()
    async for event in draw(task):
        yield event

async def main(output, life, mode):
    executor = ScriptedExecutor(scripts={"deadly": dies, "neighbour": beside})
    async with house(output, executor, concurrency=2, max_waiting=10**6) as home:
        home.bus.subscribe(listen)
        for name in () if mode == "burst" else mode.split():
            await home.submit(text(name))
        async def client(number):
            for turn in range(10**6):
                name = f"{life} {number} {turn}"
                await home.submit(text(name, images=2))
                say("answered", name)
        async def uploader():
            for turn in range(10**6):
                name = f"upload {life} {turn}"
                await home.submit(home.inpaint(name))
                say("uploaded", name)
        if mode == "burst":
            await asyncio.gather(uploader(), *map(client, range(16)))
        await asyncio.Event().wait()

life = sys.argv[2]
asyncio.run(main(pathlib.Path(sys.argv[1]), life, sys.argv[3]))
'''


@contextlib.asynccontextmanager
async def victim(output: Path, life: int, mode: str) -> AsyncIterator[asyncio.StreamReader]:
    """Run the victim; it is killed at the end of the context."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(output), str(life), mode,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.stdout.read()
        assert await process.wait() == -signal.SIGKILL


def check_integrity(output: Path) -> None:
    with contextlib.closing(sqlite3.connect(output / ".sdrest" / "jobs.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        counted = dict(connection.execute("SELECT status, count(*) FROM jobs GROUP BY status"))
        totals = "SELECT status, sum(jobs) FROM counts WHERE jobs > 0 GROUP BY status"
        kept = dict(connection.execute(totals))
        assert counted == kept


async def test_every_answered_request_and_listed_image_survives_sigkill(tmp_path: Path) -> None:
    answered: set[str] = set()
    uploaded: set[str] = set()
    images: dict[str, int] = {}
    dice = random.Random(4)
    for life in range(4):
        async with victim(tmp_path, life, "burst") as lines:
            async with asyncio.timeout(SECONDS):
                wanted = dice.randrange(60, 600)
                while (wanted := wanted - 1) >= 0 or not (uploaded and images):
                    kind, name, *rest = json.loads(await lines.readline())
                    match kind:
                        case "answered":
                            answered.add(name)
                        case "uploaded":
                            uploaded.add(name)
                        case _:
                            images[name] = rest[0]
        check_integrity(tmp_path)
    assert len(answered) > 50

    async with house(tmp_path, max_waiting=10**6) as home:
        for name in answered:
            snapshot = await home.find(text_key(name))
            assert snapshot is not None
            assert snapshot.job.status is not Status.FAILED
            for number in range(1, snapshot.job.images + 1):
                image = await home.jobs.image(text_key(name), number)
                assert image.read_bytes().endswith(f" {number}".encode())
        for name, listed in images.items():
            snapshot = await home.find(text_key(name))
            assert snapshot is not None
            assert snapshot.job.images >= listed


async def test_uploads_survive_sigkill(tmp_path: Path) -> None:
    uploaded = 0
    async with victim(tmp_path, 0, "burst") as lines, asyncio.timeout(SECONDS):
        while uploaded < 20:
            uploaded += json.loads(await lines.readline())[0] == "uploaded"
    async with house(tmp_path, max_waiting=10**6) as home:
        inputs = home.folders.all_inputs
        waiting = {key for _, key in await home.store.incomplete() if key.type.uploads}
        for key in waiting:
            folder = inputs / f"inpaint-image-{key.id}"
            assert value_of(folder / "image.png") == 128
            assert value_of(folder / "mask.png") == 255


async def test_a_job_that_crashes_the_server_three_times_fails(tmp_path: Path) -> None:
    for life in range(3):
        async with victim(tmp_path, life, "deadly") as lines, asyncio.timeout(SECONDS):
            assert json.loads(await lines.readline()) == ["dying"]
    home: House
    async with house(tmp_path) as home:
        (event,) = home.events
        assert event.change is Change.FINISHED
        job = event.snapshot.job
        assert (job.key, job.status, job.attempts) == (text_key("deadly"), Status.FAILED, 3)
        assert job.failure is not None
        assert job.failure.code is FailureCode.KILLED
        found = await home.find(text_key("deadly"))
        assert found is not None
        assert found.job == job
        assert home.executor.tasks == []


@pytest.mark.parametrize("order", ["deadly neighbour", "neighbour deadly"])
async def test_jobs_beside_one_that_crashes_the_server_do_not_fail(
    tmp_path: Path, order: str
) -> None:
    for life in range(3):
        async with victim(tmp_path, life, order) as lines, asyncio.timeout(SECONDS):
            said = []
            while ["dying"] not in said or (life < 2 and ["beside"] not in said):
                said.append(json.loads(await lines.readline()))
            assert (["beside"] in said) == (life < 2)
    async with house(tmp_path) as home:
        deadly = await home.ended(text_key("deadly"))
        assert deadly.snapshot.job.status is Status.FAILED
        neighbour = await home.jobs.get(text_key("neighbour"))
        if not neighbour.job.status.final:  # else it has run alone in the last life
            neighbour = (await home.ended(text_key("neighbour"))).snapshot
        assert neighbour.job.status is Status.COMPLETE
