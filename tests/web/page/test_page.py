"""The page over HTTP: what a browser gets, and under which rules."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sdrest.params import PARAMS_BY_TYPE
from sdrest.web.page.handlers import PARAMETERS, PREFIX, STATIC
from tests.support.server import Serve

pytestmark = pytest.mark.integration

REFERENCE = re.compile(r'(?:src|href|from|import)[=( ]*"([^"#]+)"')


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[aiohttp.ClientSession]:
    async with serve() as server, server.client() as client:
        yield client


async def test_the_page_has_a_strict_content_security_policy(client: aiohttp.ClientSession) -> None:
    async with client.get("/") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        rules = dict(
            rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; ")
        )
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == rules["connect-src"] == rules["style-src"] == "'self'"
        assert rules["frame-ancestors"] == "'none'"
        assert await answer.read() == (STATIC / "index.html").read_bytes()


async def test_static_files_answer_304_to_their_etag(client: aiohttp.ClientSession) -> None:
    async with client.get("/") as answer:
        etag = answer.headers["ETag"]
    async with client.get("/", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
        assert answer.headers["ETag"] == etag
        assert await answer.read() == b""
    async with client.head("/") as answer:
        assert answer.status == 200
        assert answer.content_length == (STATIC / "index.html").stat().st_size


async def test_every_static_file_has_its_content_type(client: aiohttp.ClientSession) -> None:
    types = {
        ".css": "text/css",
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
    }
    for path in STATIC.iterdir():
        if path.suffix in types:
            async with client.get(PREFIX + path.name) as answer:
                assert answer.content_type == types[path.suffix]
                assert await answer.read() == path.read_bytes()


async def test_the_forms_are_made_from_the_declared_parameters(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(PARAMETERS) as answer:
        schemas = await answer.json()
    assert list(schemas) == list(PARAMS_BY_TYPE)
    for job_type, model in PARAMS_BY_TYPE.items():
        names = {field.alias for field in model.model_fields.values()}
        assert set(schemas[job_type]["properties"]) == names
    strength = schemas["image-to-image"]["properties"]["strength"]
    assert (strength["minimum"], strength["maximum"], strength["default"]) == (0, 1, 0.75)
    assert schemas["text-to-image"]["properties"]["width"]["multipleOf"] == 64


@pytest.mark.parametrize("path", ["/static", "/static/", "/static/none.js", "/static/..%2fpage.py"])
async def test_other_static_paths_get_404(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "not_found"


def test_files_refer_to_files_that_are_there() -> None:
    here = {path.name for path in STATIC.iterdir()}
    for path in STATIC.iterdir():
        if path.suffix == ".webp":
            continue
        for target in REFERENCE.findall(path.read_text(encoding="utf-8")):
            if target not in {"/", "/docs", "openapi.json"} and "swagger-ui" not in target:
                name = target.removeprefix(PREFIX).removeprefix(PREFIX[1:]).removeprefix("./")
                assert name in here, (path.name, target)


def test_the_examples_are_small() -> None:
    sizes = [path.stat().st_size for path in STATIC.glob("example-*.webp")]
    assert len(sizes) == 6
    assert sum(sizes) < 150_000


def test_the_page_has_no_inline_script() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"\s(?:style|on\w+)=", page) == []
