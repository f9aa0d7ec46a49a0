"""The API's description: valid, whole, and true of what the server answers."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from sdrest.errors import ErrorCode, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.settings import Settings
from sdrest.web.app import create_app
from sdrest.web.description.examples import curl
from sdrest.web.description.openapi import document
from sdrest.web.live.messages import EventKind
from sdrest.web.routes import ROUTES
from tests.support.paths import ROOT
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

DOCUMENT = document(ROUTES)
README = (ROOT / "README.md").read_text(encoding="utf-8")
JOB = "/text-to-image/{id}"
SHAPES = DOCUMENT["components"]["schemas"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


def check(value: Any, schema: dict[str, Any]) -> None:
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolved(item: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in item:
        _, _, kind, name = item["$ref"].split("/")
        item = DOCUMENT["components"][kind][name]
    return item


def test_the_openapi_document_is_valid() -> None:
    for described in (DOCUMENT, document(ROUTES, locked=True)):
        assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []
        assert json.loads(json.dumps(described)) == described


def test_every_route_is_described_and_nothing_else() -> None:
    registered = {
        f"{route.method} {route.resource.canonical.removesuffix('{slash}')}"
        for route in create_app(Settings()).router.routes()
        if route.resource is not None
    }
    public = {name for name in registered if "/{type}" not in name and "/static/" not in name}
    assert public == {name for name, _ in operations()}


def test_every_code_is_described_where_it_may_come() -> None:
    described = {
        code
        for _, operation in operations()
        for answer in operation["responses"].values()
        for media in resolved(answer).get("content", {}).values()
        for code in media.get("examples", {})
    }
    assert {*ErrorCode} - described == {ErrorCode.METHOD_NOT_ALLOWED} - described
    codes = {
        name: {option["const"]: option["description"] for option in schema["oneOf"]}
        for name, schema in DOCUMENT["components"]["schemas"].items()
        if name.endswith("Code")
    }
    assert {*codes["ErrorCode"]} == {*ErrorCode}
    assert {*codes["FailureCode"]} == {*FailureCode}
    assert all(text for meanings in codes.values() for text in meanings.values())


def test_examples_match_their_schema() -> None:
    checked = set()
    for name, operation in operations():
        bodies = [operation.get("requestBody", {})]
        for body in [*bodies, *map(resolved, operation["responses"].values())]:
            for media_type, media in body.get("content", {}).items():
                for title, example in media.get("examples", {}).items():
                    check(example["value"], media["schema"])
                    checked.add((name, media_type, title))
                    if isinstance(example["value"], dict) and "event" in example["value"]:
                        shape = resolved(media["schema"])
                        data = shape["properties"]["data"]["contentSchema"]
                        check(json.loads(example["value"]["data"]), data)
    described = {title for _, _, title in checked}
    assert {*EventKind} <= described
    assert {*Status} <= described  # each state of a job
    assert {code for code in ErrorCode if code is not ErrorCode.METHOD_NOT_ALLOWED} <= described


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_optional_properties_say_when_they_are_present(shape: str) -> None:
    def look(schema: dict[str, Any]) -> None:
        for name, field in schema.get("properties", {}).items():
            if name not in schema.get("required", ()):
                assert field.get("description") or "properties" in field, name
            look(field)

    look(SHAPES[shape])


@pytest.mark.parametrize("job_type", JobType)
def test_the_curl_examples_are_those_of_the_readme(job_type: JobType) -> None:
    assert f"```sh\n{curl(job_type)}\n```" in README
    sample = DOCUMENT["paths"][f"/{job_type}"]["post"]["x-codeSamples"][0]
    assert sample["source"] == curl(job_type)


def test_a_server_with_a_token_describes_what_needs_it() -> None:
    paths = document(ROUTES, locked=True)["paths"]
    assert paths["/jobs"]["get"]["security"] == [{"token": []}, {"session": []}]
    assert paths["/healthz"]["get"]["security"] == []
    assert {} in DOCUMENT["paths"]["/jobs"]["get"]["security"]
    assert "401" in paths[JOB]["get"]["responses"]
    assert "401" not in paths["/healthz"]["get"]["responses"]


async def test_openapi_json_and_docs_are_served(site: Served) -> None:
    async with site.client.get("/openapi.json") as response:
        assert response.content_type == "application/json"
        assert await response.json() == DOCUMENT
    async with site.client.get("/docs") as response:
        assert response.content_type == "text/html"
        assert "style-src 'self'" in response.headers["Content-Security-Policy"]
        text = await response.text()
    assert re.findall(r"<script(?![^>]*\ssrc=)|\sstyle=|\son[a-z]+=", text) == []
    for target in re.findall(r"(?:src|href)=\"([^\"]*)", text):
        async with site.client.get(f"/{target}") as response:
            assert response.status == 200, target


async def test_swagger_ui_is_sent_with_the_page_s_rules(site: Served) -> None:
    for name, media_type in (("css", "text/css"), ("-bundle.js", "text/javascript")):
        path = f"/static/swagger-ui{name}" if name[0] == "-" else f"/static/swagger-ui.{name}"
        async with site.client.get(path) as response:
            assert (response.status, response.content_type) == (200, media_type)
            assert "script-src 'self'" in response.headers["Content-Security-Policy"]
            etag = response.headers["ETag"]
        async with site.client.get(path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304
