"""Addresses of pictures that work without the token, for an hour.

DALL·E's were signed and lived as long, and clients fetch them without `Authorization`. The key is
made from the server's token, so addresses outlive a restart. Without one all images are public.
"""

import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from sdrest.errors import GoneError, NotFoundError
from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey
from sdrest.parameter_values import MAX_GENERATED_SIDE
from sdrest.pictures.answers import Format
from sdrest.pictures.decoding import Size
from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.requests.proxy import server_url

FILES = "/v1/images/files"

_SECONDS = 3600
_INVALID = "This link has expired or was changed; request the picture again."
_KINDS: Mapping[str, Format] = {"png": "png", "jpeg": "jpeg", "webp": "webp"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The first image of a job, as a client gets it."""

    key: JobKey
    kind: Format
    size: Size
    quality: int


def url(request: web.Request, shown: Shown) -> str:
    """Return the address of a picture, with the host by which the client addresses the server."""
    name = f"{shown.key.id}.{shown.kind}"
    query = {
        "type": shown.key.type,
        "size": f"{shown.size[0]}x{shown.size[1]}",
        "quality": str(shown.quality),
        "expires": str(int(time.time()) + _SECONDS),
    }
    query["signature"] = _signature(request.app[keys.SETTINGS], name, query)
    return f"{server_url(request)}{FILES}/{name}?{urlencode(query)}"


def read(request: web.Request) -> Shown:
    """Return what an address stands for.

    Raises `NotFoundError` for one that this server did not give, `GoneError` for one that expired.
    """
    name, query = request.match_info["name"], dict(request.query)
    given = query.pop("signature", "").encode("utf-8", "surrogateescape")
    expected = _signature(request.app[keys.SETTINGS], name, query).encode()
    if not hmac.compare_digest(given, expected):
        raise NotFoundError(_INVALID)
    try:
        shown, expires = _parse(name, query)
    except (KeyError, ValueError):
        raise NotFoundError(_INVALID) from None
    if expires < time.time():
        raise GoneError(_INVALID)
    return shown


def _parse(name: str, query: Mapping[str, str]) -> tuple[Shown, int]:
    """Read an address; raises KeyError or ValueError, since without a token anyone can sign one."""
    job_id, _, kind = name.partition(".")
    width, height = map(int, query["size"].split("x"))
    if not (0 < width <= MAX_GENERATED_SIDE and 0 < height <= MAX_GENERATED_SIDE):
        raise ValueError("size")
    key, quality = JobKey(JobType(query["type"]), job_id), int(query["quality"])
    shown = Shown(key, _KINDS[kind], (width, height), min(100, max(0, quality)))
    return shown, int(query["expires"])


def _signature(settings: Settings, name: str, query: Mapping[str, str]) -> str:
    key = hmac.digest(settings.token.encode(), b"sdrest image addresses", "sha256")
    text = urlencode([("name", name), *sorted(query.items())])
    return hmac.digest(key, text.encode(), "sha256").hex()
