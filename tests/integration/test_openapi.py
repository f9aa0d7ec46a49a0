"""The API's description: valid, whole, and true of what the server answers."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.access import route_name
from sdrest.web.app import create_app
from sdrest.web.docs import html
from sdrest.web.openapi import document
from sdrest.web.operations import OPERATIONS
from tests.support.web import Served, served

DOCUMENT = document()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


def check(value: Any, schema: dict[str, Any]) -> None:
    OAS31Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_it_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_route_is_described_and_nothing_else() -> None:
    app = create_app(Settings())
    names = {
        route_name(route.method, route.resource.canonical)
        for route in app[keys.GUARD]._routes
        if route.resource is not None and route.method != "OPTIONS"
    }
    assert names == set(OPERATIONS)


def test_examples_have_the_shape_that_is_told() -> None:
    checked = 0
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                for media in answer.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        check(example["value"], media["schema"])
                        checked += 1
    assert checked > len(DOCUMENT["paths"])


async def test_answers_are_as_described(site: Served) -> None:
    job = await site.job("/text-to-image", json={"prompt": "a fox", "seed": False})
    asked = [
        (job, "/text-to-image/{id}", 200),
        ("/jobs", "/jobs", 200),
        ("/jobs?limit=0", "/jobs", 422),
        ("/healthz", "/healthz", 200),
        (f"/text-to-image/{'0' * 32}", "/text-to-image/{id}", 404),
    ]
    for url, path, status in asked:
        async with site.client.get(url) as response:
            assert response.status == status
            described = DOCUMENT["paths"][path]["get"]["responses"][str(status)]
            check(await response.json(), described["content"][response.content_type]["schema"])


async def test_both_are_served(site: Served) -> None:
    async with site.client.get("/openapi.json") as response:
        assert response.content_type == "application/json"
        assert await response.json() == DOCUMENT
    async with site.client.get("/docs") as response:
        assert response.content_type == "text/html"
        assert "style-src 'self'" in response.headers["Content-Security-Policy"]
        text = await response.text()
    assert text == html(DOCUMENT)
    assert re.findall(r"<script|\sstyle=|https?://", text) == []
    for path in DOCUMENT["paths"]:
        assert f" {path}</code>" in text
