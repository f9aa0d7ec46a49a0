"""Clients that repeat the POST where it redirects to, and JSON that is sent as a form."""

import asyncio
import io
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.job_types import JobType
from sdrest.settings import Settings
from sdrest.web.dialects.original_ids import job_id, server_values
from tests.support.forms import form, png
from tests.support.web import FORK, Served, served

pytestmark = pytest.mark.integration

NOWHERE = f"/text-to-image/{'0' * 32}"
URLENCODED = "application/x-www-form-urlencoded"
HINT = "add --header 'Content-Type: application/json'"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, max_upload=1) as site:
        yield site


async def answer(site: Served, method: str, path: str, **request: Any) -> tuple[int, str, bytes]:
    async with site.client.request(method, path, **request) as response:
        return response.status, response.content_type, await response.read()


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for _ in range(size // 2**14):
        yield b"x" * 2**14


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_post_to_a_job_answers_as_a_get(site: Served, slash: str) -> None:
    url = await site.job("/text-to-image", data={"prompt": "a"})
    bodies: list[dict[str, Any]] = [
        *({}, {"json": {"prompt": "a"}}, {"data": {"prompt": "a"}}),
        {"data": form({"prompt": "a"}, image=png())},
        {"data": b"\xff" * 5000, "headers": {"Content-Type": "multipart/form-data"}},
        {"data": b"x", "headers": {"Content-Encoding": "gzip"}},
        {"headers": {"If-None-Match": "*"}},
    ]
    for request in bodies:
        posted = await answer(site, "POST", url + slash, **request)
        assert posted == await answer(site, "GET", url + slash)
        assert posted[0] == 200
    async with site.client.get("/jobs") as response:
        assert (await response.json())["counts"]["COMPLETE"] == 1  # and nothing else happened


async def test_a_post_to_a_job_that_is_not_there_answers_as_a_get(site: Served) -> None:
    assert await answer(site, "POST", NOWHERE) == await answer(site, "GET", NOWHERE)
    gone = await site.job("/text-to-image", data={"prompt": "a"})
    await answer(site, "DELETE", gone)
    posted = await answer(site, "POST", gone, data={"prompt": "a"})
    assert posted == await answer(site, "GET", gone)
    assert posted[0] == 410
    status, _, body = await answer(site, "POST", f"{NOWHERE}?wait=x")
    assert (status, json.loads(body)["error"]["code"]) == (422, "invalid_request")


async def test_a_repeated_post_may_be_large_and_a_too_large_one_gets_413(site: Served) -> None:
    image = png((256, 256))
    url = await site.job("/image-to-image", data=form({"prompt": "a"}, image=image))
    for size, want in ((2**20, 200), (2**23, 413)):
        for data in (io.BytesIO(b"x" * size), pieces(size)):
            assert (await answer(site, "POST", url, data=data))[0] == want


async def test_a_post_to_a_job_of_another_origin_or_without_the_token(tmp_path: Path) -> None:
    """It reveals and changes as little as the GET: the same pages may send it."""
    async with served(tmp_path, token="a-secret") as site:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert (await answer(site, "POST", NOWHERE, headers=headers))[0] == 401
        headers = {"Authorization": "Bearer a-secret", "Origin": "https://example.org"}
        assert (await answer(site, "POST", NOWHERE, headers=headers))[0] == 404
        assert (await answer(site, "DELETE", NOWHERE, headers=headers))[0] == 403


async def test_a_post_to_a_job_has_its_label_in_the_metrics(site: Served) -> None:
    await answer(site, "POST", NOWHERE)
    _, _, body = await answer(site, "GET", "/metrics")
    line = 'sdrest_http_requests_total{route="POST /TYPE/{id}",status="404"} 1.0'
    assert line in body.decode().splitlines()


async def test_curl_repeats_its_post(site: Served, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png((256, 256)))
    address = f"http://127.0.0.1:{site.port}"
    for words in (
        [f"{address}/text-to-image", "--data", "prompt=a"],
        [f"{address}/image-to-image", "--form", "prompt=a", "--form", f"image=@{tmp_path}/a.png"],
    ):
        done = await asyncio.to_thread(
            subprocess.run,
            ["curl", "--silent", "--show-error", "--fail", "-X", "POST", "--location", *words],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] in {"QUEUED", "IN_PROGRESS", "COMPLETE"}


@pytest.mark.parametrize(
    "body",
    ['{"prompt":"a fox"}', ' \n{"prompt": "a"}', "[1]", '\ufeff{"prompt":"a & b = c"}', "{", "["],
)
async def test_json_without_its_content_type_gets_a_hint(site: Served, body: str) -> None:
    headers = {"Content-Type": URLENCODED}
    status, _, answered = await answer(
        site, "POST", "/text-to-image", data=body.encode(), headers=headers
    )
    assert status == 422
    error = json.loads(answered)["error"]
    assert HINT in error["message"]
    assert error["details"]["fields"] == [{"field": "prompt", "message": "Is required."}]


@pytest.mark.parametrize("body", ["prompt=&steps=3", "steps=8&{=x", "a=[1]"])
async def test_a_wrong_form_gets_no_hint_on_json(site: Served, body: str) -> None:
    status, _, answered = await answer(
        site, "POST", "/text-to-image", data=body, headers={"Content-Type": URLENCODED}
    )
    assert status == 422
    assert "JSON" not in json.loads(answered)["error"]["message"]


async def test_a_form_whose_first_name_begins_with_a_brace_is_a_form(site: Served) -> None:
    headers = {"Content-Type": URLENCODED}
    url = await site.job("/text-to-image", data='{"x"=1&prompt=a', headers=headers)
    values = server_values(JobType.TEXT_TO_IMAGE, Settings(repository=str(FORK)), {})
    wanted = job_id({'{"x"': "1", "prompt": "a"}, values)
    assert url == f"/text-to-image/{wanted}"
