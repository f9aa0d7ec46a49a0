"""What a client sees of a running job's previews."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sdrest.jobs.bus import Change
from tests.support.streams import Event, events
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

TOKEN = "correct-horse-battery"
FORM = {"width": 256, "height": 256, "seed": 1}


class Sampling:
    """A job that samples `iterations` images and finishes each when it may."""

    def __init__(self, site: Served, gate: Path) -> None:
        self.site = site
        self._gate = gate
        self.url = ""

    async def start(self, **fields: Any) -> None:
        os.mkfifo(self._gate)
        form = {**FORM, "prompt": f"preview gate={self._gate}", **fields}
        async with self.site.client.post(
            "/text-to-image", json=form, allow_redirects=False
        ) as answer:
            self.url = answer.headers["Location"]

    async def finish_image(self) -> None:
        await asyncio.to_thread(self._gate.write_text, "x")

    async def job(self) -> dict[str, Any]:
        async with self.site.client.get(self.url) as answer:
            job: dict[str, Any] = await answer.json()
            return job


@pytest.fixture
async def sampling(tmp_path: Path) -> AsyncIterator[Sampling]:
    async with served(tmp_path) as site:
        yield Sampling(site, tmp_path / "gate")


async def brightness(answer: aiohttp.ClientResponse) -> int:
    """Return the value of a preview, whose pixels are all the same."""
    with Image.open(io.BytesIO(await answer.read())) as picture:
        assert picture.size == (32, 32)
        lowest, highest = picture.convert("L").getextrema()
    assert lowest == highest
    return int(highest)  # type: ignore[arg-type]  # of a picture with one channel


def number(address: str) -> int:
    """Return which preview an address means; later ones have larger numbers."""
    return int(address.rpartition("/preview?number=")[2])


async def after(stream: AsyncIterator[Event], kind: str, count: int = 1) -> list[Event]:
    """Return the events up to the one that is the `count`th of its kind."""
    seen: list[Event] = []
    async for event in stream:
        seen.append(event)
        count -= event.kind == kind
        if not count:
            break
    return seen


async def test_a_running_job_has_the_preview_of_its_current_image(sampling: Sampling) -> None:
    client = sampling.site.client
    await sampling.start(iterations=2)
    async with client.get(f"{sampling.url}/events") as response:
        stream = events(response)
        seen = await after(stream, "preview", 2)
        shown = [event.entry["preview"] for event in seen if event.kind == "preview"]
        assert shown[0] != shown[1]
        assert all("params" not in event.entry for event in seen if event.kind == "preview")
        assert not [event for event in seen if event.kind == "status" and "preview" in event.entry]

        job = await sampling.job()
        assert list(job) == ["imageUrls", "preview", "progress", "resultUrl", "status"]
        assert job["preview"].startswith(f"{sampling.url}/preview?")
        async with client.get(job["preview"]) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "image/jpeg"
            assert answer.headers["Cache-Control"] == "no-store"
            assert await brightness(answer) == 0
            length = answer.headers["Content-Length"]
        async with client.head(f"{sampling.url}/preview") as answer:
            assert (answer.status, answer.headers["Content-Length"]) == (200, length)
        async with client.get("/events") as everything:
            (first,) = [event async for event in _first(events(everything), 1)]
            assert number(first.entry["preview"]) >= number(job["preview"])

        await sampling.finish_image()
        (*_, done) = await after(stream, "image")
        assert "preview" not in done.entry
        (*_, following) = await after(stream, "preview")
        assert following.entry["progress"]["currentImageIndex"] == 2
        async with client.get(following.entry["preview"]) as answer:
            assert await brightness(answer) == 255
        await sampling.finish_image()
        last = [event async for event in stream][-1]
    assert last.entry["status"] == "COMPLETE"
    assert list(await sampling.job()) == ["imageUrls", "resultUrl", "status"]
    async with client.get(f"{sampling.url}/preview") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "no_preview")


async def _first(stream: AsyncIterator[Event], count: int) -> AsyncIterator[Event]:
    async for event in stream:
        yield event
        count -= 1
        if not count:
            return


async def test_a_batch_shows_its_first_image_and_a_cancelled_job_none(sampling: Sampling) -> None:
    await sampling.start(batchSize=3)
    await sampling.site.until(sampling.url, Change.PREVIEW)
    async with sampling.site.client.get(f"{sampling.url}/preview") as answer:
        assert await brightness(answer) == 0
    async with sampling.site.client.post(f"{sampling.url}/cancel") as answer:
        assert list(await answer.json()) == ["imageUrls", "resultUrl", "status"]
    async with sampling.site.client.get(f"{sampling.url}/preview") as answer:
        assert (await answer.json())["error"]["code"] == "no_preview"


async def test_a_job_that_is_unknown_has_no_preview(sampling: Sampling) -> None:
    async with sampling.site.client.get(f"/text-to-image/{'0' * 32}/preview") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")


async def test_a_preview_needs_the_token(tmp_path: Path) -> None:
    async with served(tmp_path, token=TOKEN) as site:
        site.client.headers["Authorization"] = f"Bearer {TOKEN}"
        sampling = Sampling(site, tmp_path / "gate")
        await sampling.start()
        await site.until(sampling.url, Change.PREVIEW)
        for header, status in ((f"Bearer {TOKEN}", 200), ("", 401)):
            headers = {"Authorization": header}
            async with site.client.get(f"{sampling.url}/preview", headers=headers) as answer:
                assert answer.status == status


async def test_without_previews_there_are_none(tmp_path: Path) -> None:
    async with served(tmp_path, previews=False) as site:
        sampling = Sampling(site, tmp_path / "gate")
        await sampling.start()
        await site.until(sampling.url, Change.PROGRESS)
        async with site.client.get(f"{sampling.url}/preview") as answer:
            error = (await answer.json())["error"]
        async with site.client.get(f"{sampling.url}/events") as response:
            await sampling.finish_image()
            seen = [event async for event in events(response)]
    assert error["code"] == "no_preview"
    assert error["message"] == "This server makes no previews (--no-previews)."
    assert {event.kind for event in seen} <= {"status", "progress", "image"}
    assert not [event for event in seen if "preview" in event.entry]
