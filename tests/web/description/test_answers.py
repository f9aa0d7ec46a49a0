"""Real answers are as the API's description says: status, media type, body and headers."""

import io
import json
from collections.abc import AsyncIterator
from http import HTTPMethod
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openapi_schema_validator import OAS31Validator

from sdrest.errors import ErrorCode
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.web.description.openapi import document
from sdrest.web.monitoring.metrics import OPENMETRICS
from sdrest.web.responses.errors import STATUS
from sdrest.web.responses.security import HEADERS
from sdrest.web.routes import ROUTES
from tests.description.jobs import Made, make
from tests.fakes.running import Lifeline
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

DOCUMENT = document(ROUTES)
TOKEN = "a-secret-of-many-letters"
TEXT = "/text-to-image"
JOB = f"{TEXT}/{{id}}"
PNG = f"{JOB}/{{number}}.png"
FOREIGN = {"Origin": "https://example.org"}

USUAL = {
    *(name.lower() for name in HEADERS),
    *("access-control-allow-origin", "cache-control", "content-length", "content-type", "date"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy", "transfer-encoding"),
    "x-accel-buffering",
}
"""Headers that are every answer's, or matter to browsers and proxies alone."""

Asked = tuple[str, str, str, int, dict[str, Any]]
"""Method, URL, the path that describes it, status, and what else is sent."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


def resolved(item: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in item:
        _, _, kind, name = item["$ref"].split("/")
        item = DOCUMENT["components"][kind][name]
    return item


def check(value: Any, schema: dict[str, Any]) -> None:
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


async def agree(response: aiohttp.ClientResponse, path: str) -> None:
    """Compare an answer with its description."""
    operation = DOCUMENT["paths"][path][response.method.lower()]
    described = resolved(operation["responses"][str(response.status)])
    body = await response.read()
    content = described.get("content", {})
    assert bool(body) == bool(content)
    if body:
        media = content[response.content_type]
        if response.content_type == "application/json":
            check(json.loads(body), media.get("schema", {}))
    headers = {name.lower(): header for name, header in described.get("headers", {}).items()}
    sent = {name.lower(): value for name, value in response.headers.items()}
    assert sent.keys() - USUAL <= headers.keys()
    assert {name for name, header in headers.items() if header["required"]} <= sent.keys()
    for name, header in headers.items():
        if name in sent:
            number = header["schema"].get("type") == "integer"
            check(int(sent[name]) if number else sent[name], header["schema"])
    if response.status >= 400 and body and "error" in (answered := json.loads(body)):
        assert STATUS[ErrorCode(answered["error"]["code"])] == response.status
        assert set(content["application/json"]["examples"]) >= {answered["error"]["code"]}


def about_jobs(made: Made) -> list[Asked]:
    done, gone, failed, cancelled = (f"{TEXT}/{job}" for job in made.kept)
    fresh, same = ({"headers": {"If-None-Match": etag}} for etag in made.etags)
    return [
        ("GET", done, JOB, 200, {}),
        ("GET", done, JOB, 200, {"headers": FOREIGN}),
        ("GET", done, JOB, 304, fresh),
        ("GET", failed, JOB, 200, {}),
        ("GET", cancelled, JOB, 200, {}),
        ("GET", gone, JOB, 410, {}),
        ("GET", f"{TEXT}/{'0' * 32}", JOB, 404, {}),
        ("GET", f"{done}?wait=x", JOB, 422, {}),
        ("GET", done, JOB, 417, {"headers": {"Expect": "miracles"}}),
        ("HEAD", done, JOB, 200, {}),
        ("POST", done, JOB, 200, {"data": {"prompt": "a fox"}}),
        ("POST", failed, JOB, 200, {}),
        ("POST", gone, JOB, 410, {}),
        ("POST", done, JOB, 413, {"data": io.BytesIO(b"x" * 4_000_000)}),
        ("HEAD", gone, JOB, 410, {}),
        ("GET", f"{done}/1.png", PNG, 200, {}),
        ("GET", f"{done}/1.png", PNG, 206, {"headers": {"Range": "bytes=0-9"}}),
        ("GET", f"{done}/1.png", PNG, 304, same),
        ("GET", f"{done}/2.png", PNG, 404, {}),
        ("GET", f"{done}/1.png", PNG, 412, {"headers": {"If-Match": '"x"'}}),
        ("GET", f"{done}/1.png", PNG, 416, {"headers": {"Range": "bytes=99999-"}}),
        ("HEAD", f"{done}/1.png", PNG, 206, {"headers": {"Range": "bytes=0-9"}}),
        ("GET", f"{done}/events", f"{JOB}/events", 200, {}),
        ("GET", f"{done}/events", f"{JOB}/events", 204, {"headers": {"Last-Event-ID": made.end}}),
        ("GET", f"{gone}/events", f"{JOB}/events", 410, {}),
        ("OPTIONS", done, JOB, 204, {}),
        ("OPTIONS", done, JOB, 200, preflight("GET")),
        ("OPTIONS", done, JOB, 403, preflight("DELETE")),
        ("POST", f"{failed}/cancel", f"{JOB}/cancel", 200, {}),
        ("POST", f"{done}/retry", f"{JOB}/retry", 409, {}),
        ("POST", f"{failed}/retry", f"{JOB}/retry", 302, {}),
        ("PUT", f"{done}/1.png/favourite", f"{PNG}/favourite", 204, {}),
        ("GET", "/jobs?favourite=true&q=fox", "/jobs", 200, {}),
        ("DELETE", f"{done}/1.png/favourite", f"{PNG}/favourite", 204, {}),
        ("PUT", f"{done}/2.png/favourite", f"{PNG}/favourite", 404, {}),
        ("PUT", f"{gone}/1.png/favourite", f"{PNG}/favourite", 410, {}),
        ("POST", "/jobs/zip", "/jobs/zip", 200, {"json": {"images": [f"{done}/1.png"]}}),
        ("POST", "/jobs/delete", "/jobs/delete", 204, {"json": {"jobs": [gone]}}),
        ("DELETE", f"{TEXT}/{made.spare[0]}", JOB, 204, {}),
        ("DELETE", f"{TEXT}/{made.spare[1]}", JOB, 403, {"headers": FOREIGN}),
    ]


def preflight(method: str) -> dict[str, Any]:
    names = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-a"}
    return {"headers": FOREIGN | names}


JSON = {"Content-Type": "application/json"}

ASKED: list[Asked] = [
    ("POST", TEXT, TEXT, 302, {"json": {"prompt": "a fox"}}),
    ("POST", TEXT, TEXT, 302, {"data": {"prompt": "a fox"}, "headers": {"Accept": "text/html"}}),
    ("POST", TEXT, TEXT, 400, {"data": "{", "headers": JSON}),
    ("POST", TEXT, TEXT, 413, {"data": {"prompt": "x" * 200_000}}),
    ("POST", TEXT, TEXT, 415, {"data": "x"}),
    ("POST", TEXT, TEXT, 417, {"headers": {"Expect": "miracles"}}),
    ("POST", TEXT, TEXT, 422, {"json": {"steps": 3}}),
    ("GET", "/jobs", "/jobs", 200, {}),
    ("GET", "/jobs", "/jobs", 403, {"headers": FOREIGN}),
    ("GET", "/jobs?limit=0", "/jobs", 422, {}),
    ("GET", "/jobs?favourite=no", "/jobs", 422, {}),
    ("GET", f"/jobs?q={'x' * 201}", "/jobs", 422, {}),
    ("POST", "/jobs/cancel", "/jobs/cancel", 204, {}),
    ("POST", "/jobs/delete", "/jobs/delete", 422, {"json": {"jobs": []}}),
    ("POST", "/jobs/zip", "/jobs/zip", 415, {"data": "x"}),
    ("POST", "/jobs/zip", "/jobs/zip", 422, {"json": {"images": ["/jobs"]}}),
    ("GET", "/jobs?limit=1&limit=2", "/jobs", 422, {}),
    ("GET", "/healthz", "/healthz", 200, {}),
    ("GET", "/healthz", "/healthz", 421, {"headers": {"Host": "example.org"}}),
    ("GET", "/readyz", "/readyz", 200, {}),
    ("GET", "/workers", "/workers", 200, {}),
    ("GET", "/metrics", "/metrics", 200, {}),
    ("GET", "/metrics", "/metrics", 200, {"headers": {"Accept": OPENMETRICS}}),
    ("POST", "/session", "/session", 204, {"json": {"token": "x"}}),
    ("POST", "/session", "/session", 422, {"json": {"token": 1}}),
    ("DELETE", "/session", "/session", 204, {}),
    *(("GET", path, path, 200, {}) for path in ("/", "/docs", "/openapi.json")),
]


async def ask(site: Served, asked: list[Asked]) -> None:
    for method, url, path, status, request in asked:
        async with site.client.request(method, url, allow_redirects=False, **request) as response:
            assert response.status == status, (method, url, await response.text())
            await agree(response, path)


async def test_answers_about_jobs(site: Served) -> None:
    await ask(site, about_jobs(await make(site.client, JobType.TEXT_TO_IMAGE)))


async def test_answers_about_requests_and_the_server(site: Served) -> None:
    await ask(site, ASKED)


async def test_answers_of_a_full_queue_429(tmp_path: Path, lifeline: Lifeline) -> None:
    hang = {"prompt": f"hang lifeline={lifeline.path}"}
    async with served(tmp_path, max_queue=1) as site:
        async with site.client.post(TEXT, data=hang, allow_redirects=False) as first:
            assert first.status == 302
        await site.until(first.headers["Location"], Change.STARTED)
        async with site.client.post(
            TEXT, data={"prompt": "waits"}, allow_redirects=False
        ) as second:
            assert second.status == 302
        await ask(site, [("POST", TEXT, TEXT, 429, {"json": {"prompt": "one too many"}})])


async def test_answers_of_a_server_with_a_token_401(tmp_path: Path) -> None:
    async with served(tmp_path, token=TOKEN) as site:
        await ask(
            site,
            [
                ("GET", "/jobs", "/jobs", 401, {}),
                ("POST", TEXT, TEXT, 401, {"json": {"prompt": "a fox"}}),
                ("POST", "/session", "/session", 401, {"json": {"token": "x"}}),
                ("POST", "/session", "/session", 204, {"json": {"token": TOKEN}}),
                ("DELETE", "/session", "/session", 204, {}),
                ("OPTIONS", TEXT, TEXT, 204, {}),
            ],
        )


async def test_answers_of_a_server_without_scripts_503(tmp_path: Path) -> None:
    async with served(tmp_path, repository=str(tmp_path)) as site:
        await ask(site, [("GET", "/readyz", "/readyz", 503, {})])


async def test_events(site: Served) -> None:
    done = await site.job(TEXT, json={"prompt": "a fox"})
    async with site.client.get(f"{done}/events") as response:
        lines = (await response.text()).splitlines()
    fields = [line.split(": ", 1) for line in lines if not line.startswith("retry") and line]
    event = dict(fields[:3])
    check(event, {"$ref": "#/components/schemas/Event"})
    check(json.loads(event["data"]), {"$ref": "#/components/schemas/EventData"})


@pytest.mark.parametrize("method", [*HTTPMethod])
async def test_methods_that_are_not_described_get_405(site: Served, method: HTTPMethod) -> None:
    """A method that an address has is described there, and no other is taken."""
    if method == HTTPMethod.CONNECT:
        return  # asks a proxy
    for path, described in DOCUMENT["paths"].items():
        url = path.replace("{id}", "0" * 32).replace("{number}", "1")
        if method.lower() in described or method == HTTPMethod.OPTIONS:
            continue
        async with site.client.request(method, url) as response:
            assert response.status == 405, (method, url)
            allowed = {name.strip().lower() for name in response.headers["Allow"].split(",")}
            assert allowed - {"options"} == described.keys() - {"options"}
