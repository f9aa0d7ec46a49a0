"""Bodies of requests in bytes, and their answers."""

import io
from typing import Any

from tests.support.web import FORK, Served

SERVER = {
    "modelFilePath": "./models/text-to-image.ckpt",
    "stableDiffusionRepositoryDirectoryPath": str(FORK),
}


def part(head: str, content: bytes = b"") -> bytes:
    return b"--B\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def text(name: str, value: str = "x") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def head(headers: bytes, path: bytes = b"/text-to-image") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n"


async def post(site: Served, path: str = "/text-to-image", **request: Any) -> tuple[int, Any]:
    """Post, and return the status with the error or, of a redirect, the place."""
    async with site.client.post(path, **request, allow_redirects=False) as response:
        if response.status == 302:
            return 302, response.headers["Location"]
        assert response.content_type == "application/json"
        return response.status, (await response.json())["error"]


async def multipart(site: Served, content: bytes, path: str = "/text-to-image") -> tuple[int, Any]:
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    return await post(site, path, data=io.BytesIO(content), headers=headers)
