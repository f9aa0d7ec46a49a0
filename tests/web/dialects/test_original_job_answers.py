"""JSON of jobs of the original's routes, from QUEUED to COMPLETE or FAILED."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.jobs.bus import Change
from tests.support.status import answer, served_with_images
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_with_images(tmp_path) as site:
        yield site


async def ask(site: Served, **form: str) -> str:
    """Ask for a text-to-image job; return its path."""
    async with site.client.post("/text-to-image", data=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def shown(site: Served, url: str) -> dict[str, Any]:
    """What the server says of a job now."""
    async with site.client.get(url) as response:
        job: dict[str, Any] = await response.json()
    return job


async def test_a_failed_job_has_an_error(site: Served) -> None:
    url = await site.job("/text-to-image", json={"prompt": "crash_between", "iterations": 2})

    async with site.client.get(url) as response:
        job = await response.json()

    assert list(job) == ["error", "imageUrls", "resultUrl", "status"]
    assert job["status"] == "FAILED"
    assert job["imageUrls"] == [f"{url}/1.png"]
    assert job["error"]["code"] == "script_failed"
    assert job["error"]["message"]
    assert job["error"]["details"]["exitCode"] == 1


async def test_a_failed_job_runs_again_when_it_is_submitted_again(site: Served) -> None:
    request: dict[str, Any] = {"json": {"prompt": "crash_between", "iterations": 2}}
    url = await site.job("/text-to-image", **request)

    assert await site.job("/text-to-image", **request) == url


@pytest.mark.parametrize("seed", [False, None])
async def test_a_random_seed_is_in_the_json(site: Served, seed: bool | None) -> None:
    url = await site.job("/text-to-image", json={"prompt": "paint", "seed": seed})
    answered = await site.job("/text-to-image", json={"prompt": "paint", "seed": 7})

    async with site.client.get(url) as response:
        assert 0 <= (await response.json())["seed"] < 2**32
    async with site.client.get(answered) as response:
        assert "seed" not in await response.json()


async def test_every_image_of_a_batch_is_listed_and_there(site: Served) -> None:
    url = await site.job(
        "/text-to-image", data={"prompt": "x", "iterations": "2", "batchSize": "2"}
    )

    async with site.client.get(url) as response:
        images = (await response.json())["imageUrls"]

    assert images == [f"{url}/{number}.png" for number in (1, 2, 3, 4)]
    for image in images:
        assert (await answer(site, "GET", image))[0] == 200


async def test_identical_requests_at_once_are_one_job(site: Served) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(site, prompt="paint")) for _ in range(8)]
    (url,) = {task.result() for task in asked}

    await site.until(url, Change.FINISHED)

    assert await shown(site, url) == {
        "imageUrls": [f"{url}/1.png"],
        "resultUrl": url,
        "status": "COMPLETE",
    }


async def test_a_job_is_queued_then_in_progress_then_complete(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = await ask(site, prompt=f"wait_between gate={gate}", iterations="2")
    second = await ask(site, prompt="paint")
    await site.until(first, Change.IMAGE)

    on_its_way = await shown(site, first)
    waiting = await shown(site, second)
    await asyncio.to_thread(gate.write_text, "go")
    await site.until(first, Change.FINISHED)
    await site.until(second, Change.FINISHED)

    assert list(on_its_way) == ["imageUrls", "progress", "resultUrl", "status"]
    assert on_its_way["imageUrls"] == [f"{first}/1.png"]
    assert on_its_way["status"] == "IN_PROGRESS"
    assert list(on_its_way["progress"]) == [
        "currentImageIndex",
        "currentImageProgress",
        "totalImages",
    ]
    assert on_its_way["progress"]["totalImages"] == 2
    assert waiting == {"position": 1, "resultUrl": second, "status": "QUEUED"}
    assert len((await shown(site, first))["imageUrls"]) == 2
    assert (await shown(site, second))["status"] == "COMPLETE"


async def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    answers = []
    async with served(tmp_path, max_queue=1) as site:
        for number in range(3):  # one runs up to its gate, one waits
            data = {"prompt": f"wait_between gate={tmp_path}/gate n={number}", "iterations": "2"}
            async with site.client.post(
                "/text-to-image", data=data, allow_redirects=False
            ) as response:
                answers.append((response.status, response.headers, await response.read()))
            if number == 0:
                await site.until(response.headers["Location"], Change.STARTED)

    status, headers, body = answers[-1]
    assert answers[0][0] == 302
    assert status == 429
    assert int(headers["Retry-After"]) >= 1
    assert json.loads(body)["error"]["code"] == "queue_full"
    assert json.loads(body)["error"]["message"].startswith("1 job is already waiting. Try again in")
