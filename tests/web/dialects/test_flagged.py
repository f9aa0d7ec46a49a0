"""How images are reported that the script's safety checker replaced."""

import asyncio
import io
import json
import sys
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.fakes.running import FORK
from tests.support.server import PATIENCE, Serve

pytestmark = pytest.mark.integration

FAKE = ("--repository", str(FORK), "--python", sys.executable)
FIELDS = {"steps": 2, "width": 256, "height": 256, "seed": 1}


async def finished(client: aiohttp.ClientSession, **fields: Any) -> dict[str, Any]:
    """Run a job and return its JSON at the end."""
    async with client.post("text-to-image", json={**FIELDS, **fields}) as answer:
        job: dict[str, Any] = await answer.json()
    async with asyncio.timeout(PATIENCE):
        while job["status"] in {"QUEUED", "IN_PROGRESS"}:
            async with client.get(job["resultUrl"], params={"wait": 10}) as answer:
                job = await answer.json()
    assert job["status"] == "COMPLETE", job
    return job


async def record(client: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """Return what an image says of how it was made."""
    async with client.get(url) as answer:
        content = await answer.read()
    with Image.open(io.BytesIO(content)) as image:
        made: dict[str, Any] = json.loads(image.info["sdrest"])
        return made


async def test_flagged_images_are_listed_and_kept_over_a_restart(serve: Serve) -> None:
    async with serve(*FAKE) as server, server.client() as client:
        job = await finished(client, prompt="flag images=2,5", iterations=3, batchSize=2)
        assert job["flagged"] == [2, 5]
        assert list(job) == ["flagged", "imageUrls", "resultUrl", "status"]
        for number in (2, 5):
            line = await server.out.line(f"The safety checker replaced image {number}.")
            assert line.startswith("warning")
        assert not [line for line in server.out.lines if "replaced image 1" in line]
        async with client.get(f"{job['resultUrl']}/events") as events:
            lines = [line.decode() async for line in events.content]
        answered = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
        assert answered[-1]["flagged"] == [2, 5]
        records = [await record(client, url) for url in job["imageUrls"]]
        assert [item.get("flagged") for item in records] == [None, True, None, None, True, None]
        async with client.get("jobs") as answer:
            (entry,) = (await answer.json())["jobs"]
        assert entry["flagged"] == [2, 5]
    async with (
        serve(*FAKE) as server,
        server.client() as client,
        client.get(job["resultUrl"]) as answer,
    ):
        assert await answer.json() == job


async def test_events_say_at_once_which_image_was_flagged(serve: Serve) -> None:
    seen: list[tuple[int, Any]] = []
    async with (
        serve(*FAKE) as server,
        server.client() as client,
        client.get("events") as events,
        asyncio.timeout(PATIENCE),
    ):
        await finished(client, prompt="flag images=1", iterations=2)
        async for line in events.content:
            if line.startswith(b"data:") and b"imageUrls" in line:
                answered = json.loads(line[5:])
                seen.append((len(answered["imageUrls"]), answered.get("flagged")))
                if answered["status"] == "COMPLETE":
                    break
    assert all(flagged == ([1] if images else None) for images, flagged in seen), seen
    assert (1, [1]) in seen


@pytest.mark.parametrize("prompt", ["paint", "flag images=9"])
async def test_flagged_is_absent_without_flagged_images(serve: Serve, prompt: str) -> None:
    async with serve(*FAKE) as server, server.client() as client:
        job = await finished(client, prompt=prompt)
        assert list(job) == ["imageUrls", "resultUrl", "status"]
        assert not [line for line in server.out.lines if "safety" in line]


async def test_flags_of_one_job_are_not_those_of_the_next(serve: Serve) -> None:
    async with serve(*FAKE, "--keep-alive", "-1") as server, server.client() as client:
        jobs = [
            await finished(client, prompt=f"flag images={number}", iterations=2)
            for number in (2, 1, 9)
        ]
        assert [job.get("flagged") for job in jobs] == [[2], [1], None]
