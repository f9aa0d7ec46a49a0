"""OpenAI's images API: what is refused, and how errors look."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image

from sdrest.web.dialects.openai.requests import MAX_JSON
from tests.support.openai import (
    BODY,
    EDITS,
    GENERATIONS,
    PICTURE,
    TOKEN,
    ask,
    asked,
    form,
    read_events,
)
from tests.support.pictures import encoded
from tests.support.web import Served, served

NARROW = encoded(Image.new("RGB", (16000, 10)))

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("openai"), token=TOKEN) as made:
        made.client.headers["Authorization"] = f"Bearer {TOKEN}"
        yield made


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
        (BODY | {"seed": 2**32 - 1, "n": 2}, "seed", "invalid_value"),
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
    if status == 401:
        assert error["message"] == "The API key is missing or wrong: it is this server's token."


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


@pytest.mark.parametrize(
    ("parts", "param", "words"),
    [
        ({"prompt": "a boat"}, "image", "Is required."),
        ({"image": PICTURE}, "prompt", "Is required."),
        ({"image": NARROW, "prompt": "a boat"}, "image", "Is too narrow"),
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


async def test_a_stream_says_what_went_wrong_in_an_event(site: Served) -> None:
    body = BODY | {"stream": True, "prompt": "crash_before"}
    async with site.client.post(GENERATIONS, json=body) as response:
        assert response.status == 200
        events = await read_events(response)
    assert [name for name, _ in events] == ["error"]
    assert events[0][1]["error"]["code"] == "script_failed"
