"""A random seed, in each form of request: each request is a new job whose JSON has the seed."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import sdrest
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.settings import Settings
from sdrest.web.dialects.original_ids import job_id, server_values
from tests.support.forms import form, png
from tests.support.web import FORK, Served, served

pytestmark = pytest.mark.integration

WORDS = ("-1", " -01.0 ", "random", "Random", "false", "False", "null", "", "  ")
VALUES = (*WORDS, False, None, -1, -1.0)
SMALL = {"width": 256, "height": 256}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def two_jobs(site: Served, path: str, seed: Any, **request: Any) -> None:
    """Send a request twice: there are two jobs, whose seeds differ."""
    seeds, urls = set(), set()
    for _ in range(2):
        kept = {name: make() if callable(make) else make for name, make in request.items()}
        async with site.client.post(path, **kept, allow_redirects=False) as response:
            assert response.status == 302, (seed, await response.text())
            urls.add(response.headers["Location"])
        async with site.client.get(response.headers["Location"]) as response:
            seeds.add((await response.json())["seed"])
    assert len(urls) == len(seeds) == 2, seed
    assert all(0 <= drawn < 2**32 for drawn in seeds), seed


async def test_json_asks_for_a_random_seed(site: Served) -> None:
    for seed in VALUES:
        await two_jobs(site, "/text-to-image", seed, json={"prompt": "a", "seed": seed, **SMALL})


async def test_a_form_asks_for_a_random_seed(site: Served) -> None:
    for seed in WORDS:
        fields = {"prompt": "a", "seed": seed}
        await two_jobs(site, "/text-to-image", seed, data=fields)  # urlencoded
        await two_jobs(site, "/text-to-image", seed, data=partial(form, fields))


async def test_pictures_get_a_random_seed(site: Served) -> None:
    image, mask = png((256, 256)), png((256, 256), "white")
    for seed in WORDS:
        fields = {"prompt": "a", "seed": seed}
        await two_jobs(site, "/image-to-image", seed, data=partial(form, fields, image=image))
        make = partial(form, {"seed": seed}, image=image, mask=mask)
        await two_jobs(site, "/inpaint-image", seed, data=make)


@pytest.mark.parametrize("value", [None, 42, "42"])
async def test_a_number_or_no_seed_is_one_job_with_the_original_s_id(
    site: Served, value: Any
) -> None:
    fields = {"prompt": "a"} if value is None else {"prompt": "a", "seed": value}
    urls = {await site.job("/text-to-image", json=fields)}
    async with site.client.post("/text-to-image", json=fields, allow_redirects=False) as response:
        urls.add(response.headers["Location"])
    values = server_values(JobType.TEXT_TO_IMAGE, Settings(repository=str(FORK)), {})
    assert urls == {f"/text-to-image/{job_id(fields, values)}"}


async def test_many_at_once_are_as_many_jobs(site: Served) -> None:
    async def post() -> str:
        body = {"prompt": "a", "seed": False}
        async with site.client.post("/text-to-image", json=body, allow_redirects=False) as response:
            assert response.status == 302
            return response.headers["Location"]

    urls = await asyncio.gather(*(post() for _ in range(20)))
    assert len(set(urls)) == 20
    async with site.client.get("/jobs") as response:
        jobs = (await response.json())["jobs"]
    assert {job["resultUrl"] for job in jobs} == set(urls)
    assert len({job["seed"] for job in jobs}) == 20


async def test_the_seed_that_was_drawn_leads_back_to_the_job(site: Served) -> None:
    fields = {"prompt": "a", "seed": "random"}
    url = await site.job("/text-to-image", data=fields)
    async with site.client.get(url) as response:
        seed = (await response.json())["seed"]
    fields["seed"] = str(seed)
    async with site.client.post("/text-to-image", data=fields, allow_redirects=False) as response:
        assert response.headers["Location"] == url
    async with site.client.get(f"{url}/1.png") as response:
        picture = Image.open(io.BytesIO(await response.read()))
    assert json.loads(picture.info["sdrest"])["seed"] == seed


async def test_a_deleted_or_failed_job_stays_what_it_is(site: Served) -> None:
    for prompt in ("crash_before", "a"):
        fields = {"prompt": prompt, "seed": False}
        first = await site.job("/text-to-image", json=fields)
        if prompt == "a":
            async with site.client.delete(first) as response:
                assert response.status == 204
        assert await site.job("/text-to-image", json=fields) != first
        async with site.client.get(first) as response:
            assert response.status == (410 if prompt == "a" else 200)
            assert prompt == "a" or (await response.json())["status"] == "FAILED"


async def test_a_retry_uses_the_seed_that_was_drawn(site: Served) -> None:
    url = await site.job("/text-to-image", json={"prompt": "crash_before", "seed": "random"})
    seeds = []
    for _ in range(2):
        async with site.client.get(url) as response:
            seeds.append((await response.json())["seed"])
        async with site.client.post(f"{url}/retry", allow_redirects=False) as response:
            assert response.status == 302
        await site.until(url, Change.FINISHED)
    assert seeds[0] == seeds[1]


@pytest.mark.parametrize("seed", ["-2", "randomly", "-1.5", "--1", "1_0", "none of it"])
async def test_another_word_is_refused(site: Served, seed: str) -> None:
    async with site.client.post("/text-to-image", data={"prompt": "a", "seed": seed}) as response:
        assert response.status == 422
        assert (await response.json())["error"]["details"]["fields"][0]["field"] == "seed"


@pytest.mark.parametrize("seed", [None, False, -1, "random", ""])
async def test_the_python_api_takes_it(tmp_path: Path, seed: Any) -> None:
    places: dict[str, Any] = {"repository": FORK, "output": tmp_path, "python": sys.executable}
    drawn = set()
    for _ in range(2):
        async for event in sdrest.text_to_image("a", seed=seed, width=256, height=256, **places):
            if isinstance(event, sdrest.ImageReady):
                with Image.open(event.path) as picture:
                    drawn.add(json.loads(picture.info["sdrest"])["seed"])
    assert len(drawn) == 2
