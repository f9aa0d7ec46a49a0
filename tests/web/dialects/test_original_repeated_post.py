"""A request whose bytes are remembered takes the whole way where its job has to run again."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.jobs.bus import Change
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SIZE = {"height": 256, "width": 256}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def ask(site: Served, form: dict[str, Any]) -> str:
    """Ask for a job, always with the same bytes; return its path."""
    async with site.client.post("/text-to-image", json=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def status(site: Served, job: str) -> str:
    async with site.client.get(job) as response:
        return str((await response.json())["status"])


async def test_the_request_of_a_complete_job_is_not_requeued(site: Served) -> None:
    form = {"prompt": "a", **SIZE}
    job = await site.job("/text-to-image", json=form)
    await site.until(job, Change.QUEUED)

    assert [await ask(site, form) for _ in range(3)] == [job] * 3
    assert not site.changes[job, Change.QUEUED].is_set()


async def test_the_request_of_a_failed_job_requeues_it(site: Served) -> None:
    form = {"prompt": "crash_between", "iterations": 2, **SIZE}
    for _ in range(3):
        job = await site.job("/text-to-image", json=form)
        assert await status(site, job) == "FAILED"
        await site.until(job, Change.QUEUED)


async def test_the_request_of_a_cancelled_job_requeues_it(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    form = {"prompt": f"wait_between gate={gate}", "iterations": 2, **SIZE}
    job = await ask(site, form)
    await site.until(job, Change.IMAGE)
    assert await ask(site, form) == job
    async with site.client.post(f"{job}/cancel") as response:
        assert (await response.json())["status"] == "CANCELLED"
    await site.until(job, Change.QUEUED)
    await site.until(job, Change.FINISHED)

    assert await ask(site, form) == job
    await site.until(job, Change.QUEUED)
    await site.until(job, Change.IMAGE)
    await asyncio.to_thread(gate.write_text, "")
    await site.until(job, Change.FINISHED)
    assert await status(site, job) == "COMPLETE"


async def test_the_request_of_a_deleted_job_makes_it_again(site: Served) -> None:
    form = {"prompt": "a", **SIZE}
    job = await site.job("/text-to-image", json=form)
    assert await ask(site, form) == job
    async with site.client.delete(job) as response:
        assert response.status == 204

    assert await site.job("/text-to-image", json=form) == job
    assert await status(site, job) == "COMPLETE"
