"""Requests with pictures in base64: the body and its pictures become files of the spool."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from sdrest.cancellation import until_done
from sdrest.errors import FieldError, InvalidRequestError
from sdrest.jobs.spool import Spool
from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.dialects.a1111 import base64_pictures
from sdrest.web.dialects.a1111.fields import Fields, read
from sdrest.web.requests.fields import parse_json
from sdrest.web.requests.forms import receive_body

_PICTURES = 2
"""Pictures of `--max-upload` that a body has room for: an image and its mask."""

_OTHER_BYTES = 2**20
"""Bytes for the other fields."""

_MOST_PICTURES = 101
"""Pictures of a request: as many as it may ask for, and a mask."""

T = TypeVar("T")


def max_body(settings: Settings) -> int:
    """Return the most bytes of a body; base64 takes 4 for 3."""
    return _PICTURES * settings.max_upload * 2**20 * 4 // 3 + _OTHER_BYTES


async def read_pictures(request: web.Request, kind: type[Fields], spool: Spool) -> Fields:
    """Return the fields of a request; each picture in them is replaced by the path of its file.

    So a request that waits holds no picture in memory. Raises what `fields.read` raises.
    """
    settings = request.app[keys.SETTINGS]
    path = await receive_body(request, spool, limit=max_body(settings))
    charset = request.charset or "utf-8"
    return await decoding(request, lambda: _read(path, charset, kind, settings.max_upload))


async def decoding(request: web.Request, work: Callable[[], T]) -> T:
    """Do blocking work with pictures off the event loop; only a few requests do at once."""
    async with request.app[keys.DECODERS]:
        return await until_done(asyncio.create_task(asyncio.to_thread(work)))


def _read(path: Path, charset: str, kind: type[Fields], max_upload: int) -> Fields:
    body = parse_json(path.read_bytes(), charset)
    return read(kind, _with_files(body, path, max_upload * 2**20))


def _with_files(body: Mapping[str, Any], beside: Path, max_bytes: int) -> dict[str, Any]:
    """Return the fields with the paths of their pictures, which are written there."""
    numbers = iter(range(_MOST_PICTURES))

    def saved(text: Any, field: str) -> Any:
        if not isinstance(text, str) or not text:
            return text
        number = next(numbers, None)
        if number is None:
            message = f"The request has more than {_MOST_PICTURES} pictures."
            raise InvalidRequestError([FieldError(field, message)])
        target = beside.with_name(f"picture-{number}")
        target.write_bytes(base64_pictures.decode(text, field, max_bytes=max_bytes))
        return str(target)

    fields = dict(body)
    for name in ("image", "mask"):
        if name in fields:
            fields[name] = saved(fields[name], name)
    if isinstance(images := fields.get("init_images"), list):
        fields["init_images"] = [saved(image, "init_images") for image in images]
    if isinstance(images := fields.get("imageList"), list):
        fields["imageList"] = [
            image | {"data": saved(image.get("data"), "imageList")}
            if isinstance(image, dict)
            else image
            for image in images
        ]
    return fields
