"""OpenAI's images API: what requests mean, what answers hold, how errors look."""

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from yarl import URL

from sdrest.settings import Settings
from sdrest.web.dialects.openai import addresses
from sdrest.web.dialects.openai.requests import MAX_JSON
from tests.support.pictures import encoded, gradient
from tests.support.web import Served, served

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
BODY = {"prompt": "a lighthouse", "size": "256x256"}
TOKEN = "a-secret-of-many-letters"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("openai"), token=TOKEN) as made:
        made.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield made


async def ask(site: Served, path: str = GENERATIONS, **options: Any) -> tuple[int, Any]:
    async with site.client.post(path, **options) as response:
        return response.status, await response.json()


async def asked(site: Served, path: str = GENERATIONS, **options: Any) -> Any:
    """Return the answer to a request that is right."""
    status, answer = await ask(site, path, **options)
    assert status == 200, answer
    return answer


async def params(site: Served) -> Any:
    """Return the parameters of the newest job."""
    async with site.client.get("/jobs", params={"limit": 1}) as response:
        job = (await response.json())["jobs"][0]
        return job["params"] | {"type": job["type"]}


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def form(**parts: Any) -> aiohttp.FormData:
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in parts.items():
        values = value if isinstance(value, list) else [value]
        for each in values:
            if isinstance(each, bytes):
                made.add_field(name, each, filename="upload")  # as the SDKs name bytes
            else:
                made.add_field(name, each)
    return made


PICTURE = encoded(gradient((96, 64)))


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
    answer = await asked(site, json=BODY | {"n": 3, "seed": 2**32 - 2})
    assert [item["seed"] for item in answer["data"]] == [2**32 - 2, 2**32 - 1, 0]


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


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "missing_required_parameter"),
        ({"prompt": 7}, "prompt", "invalid_value"),
        (BODY | {"n": 11}, "n", "invalid_value"),
        (BODY | {"n": 0}, "n", "invalid_value"),
        (BODY | {"n": True}, "n", "invalid_value"),
        (BODY | {"size": "huge"}, "size", "invalid_value"),
        (BODY | {"size": "100000x100000"}, "size", "invalid_value"),
        (BODY | {"size": "64x64"}, "size", "invalid_value"),
        (BODY | {"output_format": "gif"}, "output_format", "invalid_value"),
        (BODY | {"response_format": "text"}, "response_format", "invalid_value"),
        (BODY | {"stream": "maybe"}, "stream", "invalid_value"),
        (BODY | {"partial_images": 4}, "partial_images", "invalid_value"),
        (BODY | {"seed": 2**32}, "seed", "invalid_value"),
        (BODY | {"guidance_scale": 1e400}, None, None),
        (BODY | {"sampler": "plms", "eta": 1}, "eta", "invalid_value"),
        (BODY | {"svg": {"any": 1}}, "svg", "invalid_value"),
        ([], None, None),
        (None, None, None),
    ],
)
async def test_wrong_fields_are_400_and_named(
    site: Served, body: Any, param: str | None, code: str | None
) -> None:
    status, answer = await ask(
        site, data=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    error = answer["error"]
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code), error
    assert error["message"]


async def test_an_unknown_model_is_404_and_a_known_one_is_found(site: Served) -> None:
    status, answer = await ask(site, json=BODY | {"model": "absent"})
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert answer["error"]["param"] == "model"
    async with site.client.get("/v1/models") as response:
        models = (await response.json())["data"]
    name = models[0]["id"]
    await asked(site, json=BODY | {"model": name})
    async with site.client.get(f"/v1/models/{name}") as response:
        assert await response.json() == models[0]
    async with site.client.get("/v1/models/absent") as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("place", "headers", "status", "code"),
    [
        ("GET /v1/there/is/nothing", {}, 404, None),
        (f"GET {GENERATIONS}", {}, 405, "method_not_allowed"),
        (f"POST {GENERATIONS}", {"Authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ("GET /v1/models", {"Authorization": "Basic d3Jvbmc="}, 401, "invalid_api_key"),
        (f"POST {EDITS}", {"Content-Type": "application/json"}, 415, "unsupported_media_type"),
    ],
)
async def test_every_error_below_v1_has_the_shape_of_openai(
    site: Served, place: str, headers: dict[str, str], status: int, code: str | None
) -> None:
    method, path = place.split()
    async with site.client.request(method, path, headers=headers) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == code


async def test_the_token_may_come_as_api_key_and_any_text_will_do_without_one(
    site: Served, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{site.port}/v1/models"
    async with aiohttp.ClientSession() as azure:
        for key, status in ((TOKEN, 200), ("wrong", 401)):
            async with azure.get(url, headers={"api-key": key}) as response:
                assert response.status == status
    async with served(tmp_path) as open_site:
        headers = {"Authorization": "Bearer none"}
        async with open_site.client.get("/v1/models", headers=headers) as response:
            assert response.status == 200


async def test_a_failed_job_is_500_that_is_not_retried(site: Served) -> None:
    async with site.client.post(GENERATIONS, json=BODY | {"prompt": "crash_before"}) as response:
        assert (response.status, response.headers["x-should-retry"]) == (500, "false")
        error = (await response.json())["error"]
    assert (error["type"], error["code"]) == ("server_error", "script_failed")
    assert "Sizes of tensors must match" in error["message"]


async def test_a_json_body_of_any_type_is_read(site: Served) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}):
        await asked(site, "/images/generations", data=json.dumps(BODY).encode(), headers=headers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"prompt":"' + b"x" * MAX_JSON + b'"}', 413),
        (b'{"prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
        (b'{"n":' + b"9" * 100_000 + b"}", 400),
        (b"\xff\xfe\x00", 400),
        (b'{"prompt":"\\ud800"}', 400),
        (b'{"prompt":"\\u0000"}', 400),
    ],
)
async def test_hostile_json_is_refused(site: Served, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    refused, answer = await ask(site, data=io.BytesIO(body), headers=headers)
    assert refused == status
    assert len(answer["error"]["message"]) < 1000


async def test_a_body_of_100_mb_is_refused_before_it_is_sent(site: Served) -> None:
    head = f"POST {GENERATIONS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
    answer = await site.raw(f"{head}Content-Length: 100000000\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"type":"invalid_request_error"' in answer


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
    assert answer["size"] == "96x64"  # that of the picture
    made = await params(site)
    assert {name: made[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("parts", "param", "words"),
    [
        ({"prompt": "a boat"}, "image", "Is required."),
        ({"image": PICTURE}, "prompt", "Is required."),
        ({"image": b"no picture", "prompt": "a boat"}, "image", "Is not a PNG"),
        ({"image": PICTURE, "mask": PICTURE, "prompt": "a boat"}, "mask", "no transparent part"),
        ({"image": PICTURE, "mask": b"no", "prompt": "a boat"}, "mask", "Is not a PNG"),
    ],
)
async def test_wrong_pictures_are_refused(
    site: Served, parts: dict[str, Any], param: str, words: str
) -> None:
    status, answer = await ask(site, EDITS, data=form(**parts))
    assert (status, answer["error"]["param"]) == (400, param)
    assert words in answer["error"]["message"]


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


async def test_a_stream_says_what_went_wrong_in_an_event(site: Served) -> None:
    body = BODY | {"stream": True, "prompt": "crash_before"}
    async with site.client.post(GENERATIONS, json=body) as response:
        assert response.status == 200
        events = await read_events(response)
    assert [name for name, _ in events] == ["error"]
    assert events[0][1]["error"]["code"] == "script_failed"


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


async def read_events(response: aiohttp.ClientResponse) -> list[tuple[str, Any]]:
    found = []
    for block in (await response.text()).split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in {"", ":"}
        )
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
