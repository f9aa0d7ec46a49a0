"""Requests of OpenAI's images API, and how tests read the answers."""

import base64
import io
import json
from typing import Any

import aiohttp
from PIL import Image

from tests.support.pictures import encoded, gradient
from tests.support.web import Served

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
BODY = {"prompt": "a lighthouse", "size": "256x256"}
TOKEN = "a-secret-of-many-letters"


async def ask(site: Served, path: str = GENERATIONS, **options: Any) -> tuple[int, Any]:
    async with site.client.post(path, **options) as response:
        return response.status, await response.json()


async def asked(site: Served, path: str = GENERATIONS, **options: Any) -> Any:
    """Return the answer to a request that is right."""
    status, answer = await ask(site, path, **options)
    assert status == 200, answer
    return answer


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


async def read_events(response: aiohttp.ClientResponse) -> list[tuple[str, Any]]:
    found = []
    for block in (await response.text()).split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.split("\n") if line[:1] not in {"", ":"}
        )
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
