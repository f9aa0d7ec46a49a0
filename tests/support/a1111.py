"""Requests to AUTOMATIC1111's dialect."""

import base64
import io
import json
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support.web import Served

TOKEN = "a-secret-of-many-letters"
BASIC = "Basic " + base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
API = "/sdapi/v1"


async def ask(site: Served, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
    """Send a request, a POST if there is a body; return the status and the JSON of the answer."""
    method = "GET" if body is None and "data" not in options else "POST"
    if body is not None:
        options["data"] = io.BytesIO(json.dumps(body).encode())
    async with site.client.request(method, f"{API}/{path}", **options) as response:
        return response.status, await response.json()


async def asked(site: Served, path: str, body: Any = None, **options: Any) -> Any:
    """Return the answer to a request that is right."""
    status, answer = await ask(site, path, body, **options)
    assert status == 200, answer
    return answer


def png(width: int = 64, height: int = 64, text: PngInfo | None = None) -> str:
    """Return a picture as base64."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), "orange").save(written, "PNG", pnginfo=text)
    return base64.b64encode(written.getvalue()).decode()


def opened(text: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(text)))
    picture.load()
    return picture


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}
