"""`/readyz` as a probe sees it: ready only while a job would be taken and could run."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.running import FORK
from tests.support.disk import limited
from tests.support.fake_fork import FAKE, MODEL, post
from tests.support.server import Serve
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

READY = {
    "engine": {
        "kind": "repository",
        "message": "Jobs run in the repository that --repository names.",
    },
    "problems": [],
    "status": "ready",
    "usable": ["text-to-image", "image-to-image", "inpaint-image"],
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def readiness(site: Served) -> tuple[int, dict[str, Any]]:
    async with site.client.get("/readyz") as response:
        assert response.headers["Cache-Control"] == "no-store"
        answer: dict[str, Any] = await response.json()
    assert str(site.output.parent) not in json.dumps(answer)
    return response.status, answer


async def refusals(site: Served) -> list[str]:
    """Return the codes of what keeps a server from being ready."""
    status, answer = await readiness(site)
    assert (status, answer["status"], answer["usable"]) == (503, "not ready", [])
    assert all(problem["message"] for problem in answer["problems"])
    async with site.client.get("/healthz") as response:
        assert response.status == 200  # a restart would repair nothing
    return [problem["code"] for problem in answer["problems"]]


async def test_readyz_answers_200_repeatedly(site: Served) -> None:
    answers = await asyncio.gather(*(readiness(site) for _ in range(20)))
    assert answers == [(200, READY)] * 20
    assert site.spooled() == []
    async with site.client.head("/readyz") as response:
        assert response.status == 200


async def test_healthz_and_readyz_need_no_token(tmp_path: Path) -> None:
    async with served(tmp_path, host="0.0.0.0", token="secret") as site:
        assert (await readiness(site))[0] == 200
        async with site.client.get("/readyz", headers={"Host": "10.0.0.7:8888"}) as response:
            assert response.status == 200  # as a kubelet asks


async def test_readyz_notices_a_missing_engine_and_its_return(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    fork.symlink_to(FORK)
    async with served(tmp_path, repository=str(fork)) as site:
        assert (await readiness(site))[0] == 200
        fork.unlink()
        assert set(await refusals(site)) >= {"repository_missing"}
        fork.symlink_to(FORK)
        assert (await readiness(site))[0] == 200


async def test_readyz_notices_a_missing_output_folder_and_its_return(site: Served) -> None:
    away = site.output.with_name("away")
    site.output.rename(away)
    assert await refusals(site) == ["storage_unavailable"]
    away.rename(site.output)
    assert await readiness(site) == (200, READY)


@pytest.mark.parametrize("name", [".sdrest/spool", ".sdrest/work", "inpaint-image"])
async def test_readyz_notices_an_unusable_folder(site: Served, name: str) -> None:
    (site.output / name).rmdir()
    (site.output / name).write_text("in the way")
    assert await refusals(site) == ["storage_unavailable"]
    (site.output / name).unlink()
    (site.output / name).mkdir()
    assert (await readiness(site))[0] == 200


async def test_readyz_notices_a_full_disk(site: Served) -> None:
    with limited(resource.RLIMIT_FSIZE, 1024):
        assert await refusals(site) == ["storage_unavailable"]
    assert (await readiness(site))[0] == 200
    assert site.spooled() == []


async def test_readyz_notices_a_damaged_job_table(site: Served) -> None:
    table = site.output / ".sdrest" / "jobs.sqlite3"
    notes = site.output.with_name("notes")
    notes.write_bytes(b"These are the notes of somebody." * 100)
    for name in ("jobs.sqlite3-wal", "jobs.sqlite3-shm"):
        (table.parent / name).unlink(missing_ok=True)
    notes.replace(table)  # a table that is missing for a moment might be made again
    assert await refusals(site) == ["storage_unavailable"]


async def test_readyz_does_not_write_into_the_job_table(site: Served) -> None:
    table = sqlite3.connect(site.output / ".sdrest" / "jobs.sqlite3")
    version = "PRAGMA data_version"  # changes with every transaction of somebody else
    before = table.execute(version).fetchone()
    assert (await readiness(site))[0] == 200
    assert table.execute(version).fetchone() == before
    table.close()


async def test_healthz_is_200_and_readyz_503_during_a_stop(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(*FAKE, *MODEL, "--grace", "60", warns=True) as server:
        await post(server, f"wait_between gate={gate}", iterations=2)
        await server.out.line("2/2 ")
        server.process.send_signal(signal.SIGTERM)
        await server.out.line("Stopping...")
        async with server.client() as client:
            async with client.get("healthz") as answer:
                assert answer.status == 200
            async with client.get("readyz") as answer:
                assert answer.status == 503
                answered = await answer.json()
        await asyncio.to_thread(gate.write_text, "")
        assert await server.ended() == 0
    assert (answered["status"], answered["usable"]) == ("not ready", [])
    assert answered["problems"][0] == {"code": "stopping", "message": "The server is stopping."}
