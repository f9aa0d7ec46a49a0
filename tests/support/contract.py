"""What was recorded of the original tool, and how an exchange is sent again."""

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from yarl import URL

DATA = Path(__file__).parents[1] / "data" / "contract"
BOUNDARY = "----------------------------contractboundary"
JOB = re.compile(r"/(text-to-image|image-to-image|inpaint-image)/([0-9a-f]{32})")


def group(name: str) -> list[dict[str, Any]]:
    """Return the recorded cases of a group."""
    cases: list[dict[str, Any]] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return cases


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, recorded or given; a `status` of 0 is a connection that broke."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def recorded(cls, response: dict[str, Any]) -> Self:
        body = (response.get("body") or "").encode()
        return cls(response.get("status", 0), response.get("headers", {}), body)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").lower().replace(" ", "")

    @property
    def job(self) -> str | None:
        """The path of the job that the answer leads to."""
        found = JOB.match(self.headers.get("location", ""))
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def send(client: aiohttp.ClientSession, request: dict[str, Any], url: str) -> Answer:
    """Send a recorded request to `url`, whose path goes out as it stands."""
    content = _content(request["body"])
    headers = dict(request["headers"])
    headers.pop("Transfer-Encoding", None)
    async with client.request(
        request["method"],
        URL(url, encoded=True),
        headers=headers,
        data=None if content is None else io.BytesIO(content),
        allow_redirects=False,
        skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
    ) as response:
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, names, await response.read())


def _content(body: dict[str, Any] | None) -> bytes | None:
    if body is None:
        return None
    if body["encoding"] == "multipart":
        parts = b"".join(_part(part) for part in body["parts"])
        return parts + f"--{BOUNDARY}--\r\n".encode()
    if "text" in body:
        return _bytes(body["text"])
    before, repeated, times, after = body["repeat"]
    return _bytes(before + repeated * times + after)


def _part(part: dict[str, Any]) -> bytes:
    content: bytes
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part["name"]}"'
    if "fixture" in part:
        head += f'; filename="{part["filename"]}"'
        if part["contentType"]:
            head += f"\r\nContent-Type: {part['contentType']}"
        content = (DATA / "fixtures" / part["fixture"]).read_bytes()
    elif "value" in part:
        content = _bytes(part["value"])
    else:
        repeated, times = part["repeat"]
        content = _bytes(repeated * times)
    return _bytes(head) + b"\r\n\r\n" + content + b"\r\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
