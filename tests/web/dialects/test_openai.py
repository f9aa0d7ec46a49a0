"""OpenAI's images API: what requests mean, and what answers hold."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from sdrest.settings import Settings
from sdrest.web.dialects.openai import addresses
from tests.support.openai import (
    BODY,
    EDITS,
    GENERATIONS,
    PICTURE,
    TOKEN,
    VARIATIONS,
    asked,
    decoded,
    form,
    read_events,
)
from tests.support.web import Served, served

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("openai"), token=TOKEN) as made:
        made.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield made


async def params(site: Served) -> Any:
    """Return the parameters of the newest job."""
    async with site.client.get("/jobs", params={"limit": 1}) as response:
        job = (await response.json())["jobs"][0]
        return job["params"] | {"type": job["type"]}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, {"steps": 24, "width": 256, "guidanceScale": 7.5, "sampler": "ddim"}),
        ({"quality": "low"}, {"steps": 8}),
        ({"quality": "hd"}, {"steps": 50}),
        ({"quality": "low", "steps": 30}, {"steps": 30}),
        ({"steps": 36}, {"steps": 35}),
        ({"num_inference_steps": 12, "cfg_scale": 3}, {"steps": 12, "guidanceScale": 3}),
        ({"negative_prompt": "fog", "seed": 7}, {"negativePrompt": "fog", "seed": 7}),
        ({"sampler": "plms"}, {"sampler": "plms"}),
        ({"size": "600x400"}, {"width": 640, "height": 448}),
        ({"size": "auto"}, {"width": 512, "height": 512}),
        ({"size": None, "n": None, "model": None}, {"width": 512}),
        ({"n": "1", "seed": "-1"}, {"steps": 24}),
    ],
)
async def test_fields_become_parameters(
    site: Served, more: dict[str, Any], wanted: dict[str, Any]
) -> None:
    await asked(site, json=BODY | more)
    made = await params(site)
    assert {name: made[name] for name in wanted} == wanted


async def test_pictures_have_the_seeds_that_follow_the_first(site: Served) -> None:
    answer = await asked(site, json=BODY | {"n": 3, "seed": 2**32 - 3})
    assert [item["seed"] for item in answer["data"]] == [2**32 - 3, 2**32 - 2, 2**32 - 1]


async def test_without_a_seed_it_is_random(site: Served) -> None:
    seeds = {(await asked(site, json=BODY))["data"][0]["seed"] for _ in "12"}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("more", "members"),
    [
        ({}, {"b64_json", "url"}),
        ({"model": "dall-e-3"}, {"b64_json", "url"}),
        ({"model": "gpt-image-1"}, {"b64_json"}),
        ({"response_format": "url", "model": "gpt-image-1"}, {"url"}),
        ({"response_format": "b64_json"}, {"b64_json"}),
    ],
)
async def test_the_answer_has_what_its_client_reads(
    site: Served, more: dict[str, str], members: set[str]
) -> None:
    answer = await asked(site, json=BODY | more)
    assert answer["data"][0].keys() == members | {"seed"}
    assert answer["usage"]["total_tokens"] == 0
    assert "warnings" not in answer


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_pictures_have_the_size_and_format_that_was_asked_for(
    site: Served, kind: str
) -> None:
    wanted = {"size": "600x400", "output_format": kind, "output_compression": 50}
    answer = await asked(site, json=BODY | wanted)
    assert (answer["size"], answer["output_format"]) == ("600x400", kind)
    picture = decoded(answer["data"][0]["b64_json"])
    assert (picture.size, picture.format) == ((600, 400), kind.upper())
    assert ("parameters" in picture.info) is (kind == "png")  # the cut keeps its texts
    async with site.client.get(answer["data"][0]["url"]) as response:
        assert response.content_type == f"image/{kind}"
        assert await response.read() == base64.b64decode(answer["data"][0]["b64_json"])


async def test_an_address_works_without_the_token_until_it_expires(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = (await asked(site, json=BODY))["data"][0]["url"]
    assert url.startswith(f"http://127.0.0.1:{site.port}/v1/images/files/")
    changed = {
        url: 200,
        url.replace("size=256x256", "size=128x128"): 404,
        url.replace("expires=1", "expires=2"): 404,
        url[:-1]: 404,
        url.partition("&signature")[0]: 404,
        url.partition("?")[0]: 404,
    }
    async with aiohttp.ClientSession() as anybody:
        for each, status in changed.items():
            async with anybody.get(each) as response:
                assert response.status == status, each
                if status != 200:
                    error = (await response.json())["error"]
                    assert error["message"].startswith("This link has expired or was changed;")
        monkeypatch.setattr(addresses, "_SECONDS", -1)
        late = (await asked(site, json=BODY))["data"][0]["url"]
        async with anybody.get(late) as response:
            assert response.status == 410
            assert "expired" in (await response.json())["error"]["message"]


async def test_without_a_token_nobody_gets_another_size_than_a_picture_may_have(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as site:
        url = URL((await asked(site, json=BODY))["data"][0]["url"])
        for wrong in ({"size": "99999x99999"}, {"type": "x"}, {"size": "0x9"}):
            query = {**url.query, **wrong}
            del query["signature"]
            query["signature"] = addresses._signature(Settings(), url.name, query)  # it has no key
            async with site.client.get(url.path, params=query) as response:
                assert response.status == 404, wrong


async def test_a_json_body_of_any_type_is_read(site: Served) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}):
        await asked(site, "/images/generations", data=json.dumps(BODY).encode(), headers=headers)


@pytest.mark.parametrize("name", ["image", "image[]"])
async def test_an_edit_changes_the_first_picture(site: Served, name: str) -> None:
    data = form(**{name: [PICTURE, PICTURE], "prompt": "a boat", "size": "512x256"})
    answer = await asked(site, EDITS, data=data)
    assert answer["size"] == "512x256"
    assert answer["warnings"] == [
        "image: only the first picture is used.",
        "size: the picture has another shape; two of its edges are cut off.",
    ]
    made = await params(site)
    assert (made["type"], made["strength"]) == ("image-to-image", 0.75)


@pytest.mark.parametrize(
    ("path", "parts", "wanted"),
    [
        (EDITS, {"prompt": "a boat", "input_fidelity": "high"}, {"strength": 0.5}),
        (EDITS, {"prompt": "a boat", "strength": "0.3"}, {"strength": 0.3}),
        (VARIATIONS, {"n": "1"}, {"strength": 0.6, "prompt": ""}),
        (VARIATIONS, {"prompt": "is not read"}, {"prompt": ""}),
    ],
)
async def test_a_picture_alone_becomes_image_to_image(
    site: Served, path: str, parts: dict[str, str], wanted: dict[str, Any]
) -> None:
    answer = await asked(site, path, data=form(image=PICTURE, **parts))
    assert answer["size"] == "314x210"  # the picture's shape, in 256x256 of area
    made = await params(site)
    assert {name: made[name] for name in wanted} == wanted


async def test_a_stream_ends_with_the_completed_picture(site: Served) -> None:
    body = BODY | {"stream": True, "partial_images": 2, "n": 2, "seed": 3}
    async with site.client.post(GENERATIONS, json=body) as response:
        assert response.content_type == "text/event-stream"
        events = await read_events(response)
    assert [name for name, _ in events] == ["image_generation.completed"] * 2
    for number, (name, data) in enumerate(events):
        assert (data["type"], data["seed"]) == (name, 3 + number)
        assert data["usage"]["total_tokens"] == 0
        assert decoded(data["b64_json"]).size == (256, 256)
    data = form(image=PICTURE, prompt="a boat", stream="true")
    async with site.client.post(EDITS, data=data) as response:
        assert [name for name, _ in await read_events(response)] == ["image_edit.completed"]


async def test_a_silent_stream_has_comments(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    body = BODY | {"stream": True, "prompt": f"wait_between gate={gate}"}
    async with (
        served(tmp_path, heartbeat=0.01) as site,
        site.client.post(GENERATIONS, json=body) as response,
    ):
        assert (await response.content.readline()).startswith(b":")
        await asyncio.to_thread(gate.write_text, "")
        assert b"event: image_generation.completed" in await response.read()
