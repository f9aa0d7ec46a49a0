"""AUTOMATIC1111's requests that wait: progress, interrupt, skip, clients that leave."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sdrest.jobs.bus import Change
from tests.support.a1111 import BASIC, TOKEN, ask, asked, bearer
from tests.support.web import PATIENCE, Served, served

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("a1111"), token=TOKEN) as made:
        made.client.headers["Authorization"] = BASIC
        yield made


async def until_busy(site: Served, done: int = 0) -> Any:
    """Return the progress once a picture is being made and `done` others are complete."""
    async with asyncio.timeout(PATIENCE):
        while True:
            progress = await asked(site, "progress")
            if progress["state"]["job_no"] == done and progress["state"]["job_count"]:
                return progress


@pytest.mark.parametrize(("path", "left", "asked_for"), [("interrupt", 0, 4), ("skip", 2, 4)])
async def test_interrupt_and_skip(
    site: Served, tmp_path: Path, path: str, left: int, asked_for: int
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    wish = {"prompt": f"wait_between gate={gate}", "batch_size": 2, "n_iter": 2, "seed": 1}
    request = asyncio.create_task(asked(site, "txt2img", wish))
    progress = await until_busy(site)
    assert progress["state"]["job_count"] == asked_for
    assert progress["progress"] >= 0.01
    assert progress["state"]["job"]
    assert (await ask(site, path, {}))[0] == 200
    if left:
        await until_busy(site, done=2)
        for number in range(left):
            await asyncio.to_thread(gate.write_text, "go")
            if number + 1 < left:
                await until_busy(site, done=3)
    answer = await request
    info = json.loads(answer["info"])
    assert len(answer["images"]) == len(info["infotexts"]) == left
    assert info["all_seeds"] == [3, 4][:left]
    assert f"Cancelled: {asked_for - left} of {asked_for} pictures." in info["warnings"]
    assert (await asked(site, "progress"))["state"]["job_count"] == 0


async def test_jobs_of_a_client_that_leaves_are_cancelled(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    wish = {"prompt": f"wait_between gate={gate}", "batch_size": 2}
    request = asyncio.create_task(asked(site, "txt2img", wish))
    await until_busy(site)
    async with site.client.get("/jobs", params={"limit": 2}, headers=bearer()) as response:
        paths = [job["resultUrl"] for job in (await response.json())["jobs"]]
    request.cancel()
    for path in paths:
        await site.until(path, Change.FINISHED)
        async with site.client.get(path, headers=bearer()) as response:
            assert (await response.json())["status"] == "CANCELLED"


async def test_more_pictures_than_the_queue_takes_are_refused(tmp_path: Path) -> None:
    async with served(tmp_path, max_queue=2) as site:
        status, answer = await ask(site, "txt2img", {"batch_size": 4})
        assert status == 422
        assert answer["detail"] == (
            "n_iter: This server takes at most 2 pictures at once (--max-queue)."
        )
        async with site.client.get("/jobs") as response:
            assert (await response.json())["jobs"] == []  # all or none
