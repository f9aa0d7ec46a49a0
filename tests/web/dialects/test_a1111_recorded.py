"""Requests as the clients of AUTOMATIC1111's web UI send them, answered as they need."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.a1111 import BASIC, TOKEN, asked, png
from tests.support.web import Served, served

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

RECORDED = json.loads((Path(__file__).parents[2] / "data" / "clients" / "a1111.json").read_text())
"""Requests of real clients, each with an answer of AUTOMATIC1111's shape."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """An application with a token, for all tests of this module."""
    async with served(tmp_path_factory.mktemp("a1111"), token=TOKEN) as made:
        made.client.headers["Authorization"] = BASIC
        yield made


def filled(value: Any, model: str) -> Any:
    """Put pictures, and the name of a model, where a recorded request has stand-ins."""
    match value:
        case dict():
            return {name: filled(item, model) for name, item in value.items()}
        case list():
            return [filled(item, model) for item in value]
        case "dreamlike" | "v1-4":
            return model
        case str() if "<base64 of PNG" in value:
            return value[: value.index("<")] + png()
        case _:
            return value


def lacks(recorded: Any, answer: Any, place: str = "") -> list[str]:
    """Return what an answer lacks of a recorded one: keys, elements, types of values."""
    if recorded is None or answer is None:
        return []
    numbers = isinstance(recorded, int | float) and isinstance(answer, int | float)
    if type(recorded) is not type(answer) and not numbers:
        return [f"{place}: {answer!r}"]
    if isinstance(recorded, dict):
        missing = [f"{place}.{name}" for name in recorded if name not in answer]
        return missing + [
            found
            for name in recorded.keys() & answer.keys()
            for found in lacks(recorded[name], answer[name], f"{place}.{name}")
        ]
    if isinstance(recorded, list) and recorded:
        return lacks(recorded[0], answer[0], f"{place}[0]") if answer else [f"{place}[0]"]
    return []


@pytest.mark.parametrize(
    "call", RECORDED, ids=lambda call: f"{call['client']}: {call['path'].rpartition('/')[2]}"
)
async def test_requests_of_real_clients(site: Served, call: dict[str, Any]) -> None:
    (model, *_) = await asked(site, "sd-models")
    body = None
    headers = {}
    if "body" in call:
        body = json.dumps(filled(call["body"], model["title"])).encode()
        headers["Content-Type"] = call["type"] or ""
    async with site.client.request(
        call["method"], call["path"], data=body, headers=headers
    ) as response:
        answer = await response.json()
    assert response.status == 200, answer
    assert lacks(call["answer"], answer) == []
