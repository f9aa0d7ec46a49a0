"""Answers of /healthz and /readyz that depend on the engine."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.status import answer, served_with_images
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served_with_images(tmp_path) as site:
        yield site


async def test_healthz_answers_200(site: Served, tmp_path: Path) -> None:
    status, _, alive = await answer(site, "GET", "/healthz")
    assert (status, json.loads(alive)) == (200, {"status": "ok"})

    status, _, ready = await answer(site, "GET", "/readyz")
    assert status == 200
    assert json.loads(ready)["status"] == "ready"
    assert json.loads(ready)["engine"]["kind"] == "repository"
    assert json.loads(ready)["usable"] == ["text-to-image", "image-to-image", "inpaint-image"]


async def test_readyz_is_200_with_one_model_missing(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.ckpt")
    async with served(tmp_path, inpaint_image_model=missing) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 200
    assert json.loads(body)["usable"] == ["text-to-image", "image-to-image"]
    assert [item["code"] for item in json.loads(body)["problems"]] == ["model_missing"]


async def test_readyz_names_the_bundled_engine(tmp_path: Path) -> None:
    async with served(tmp_path, repository=None) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 200
    assert json.loads(body)["engine"]["kind"] == "bundled"
    assert "sdrest setup" in json.loads(body)["engine"]["message"]


async def test_readyz_is_503_without_a_working_engine(tmp_path: Path) -> None:
    async with served(tmp_path, repository=str(tmp_path / "nothing")) as site:
        status, _, body = await answer(site, "GET", "/readyz")

    assert status == 503
    problems = json.loads(body)["problems"]
    assert "repository_missing" in {problem["code"] for problem in problems}
    assert str(tmp_path) not in body.decode()
