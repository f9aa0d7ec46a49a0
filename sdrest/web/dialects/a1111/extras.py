"""What else the web UI answers: pictures' settings, resizing, memory, models to unload and load."""

import asyncio
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil
from aiohttp import web

from sdrest.errors import FieldError, InvalidRequestError, NotFoundError
from sdrest.pictures import PictureError
from sdrest.web import keys
from sdrest.web.dialects.a1111 import png_info
from sdrest.web.dialects.a1111.base64_pictures import NOT_PICTURE, encode, open_picture
from sdrest.web.dialects.a1111.bodies import decoding, max_body, read_pictures
from sdrest.web.dialects.a1111.fields import PngInfo, Upscale, UpscaleMany, UpscaleOne
from sdrest.web.dialects.a1111.upscale import check, notes, upscale
from sdrest.web.requests.forms import discard
from sdrest.web.responses.json_response import json_response
from sdrest.web.route import Handler


def constant(value: object) -> Handler:
    """Return a handler that answers with a value, whatever a request's body says."""

    async def send(request: web.Request) -> web.Response:
        await discard(request, limit=max_body(request.app[keys.SETTINGS]))
        return json_response(value)

    return send


async def send_png_info(request: web.Request) -> web.Response:
    """Send what a picture says of its making."""
    async with request.app[keys.JOBS].spool() as spool:
        wanted = await read_pictures(request, PngInfo, spool)

        def read() -> object:
            try:
                return png_info.settings_of(Path(wanted.image).read_bytes())
            except (PictureError, OSError):
                raise InvalidRequestError([FieldError("image", NOT_PICTURE)]) from None

        return json_response(await decoding(request, read))


async def send_upscaled(request: web.Request) -> web.Response:
    """Resize a picture and send it."""
    async with request.app[keys.JOBS].spool() as spool:
        wanted = await read_pictures(request, UpscaleOne, spool)
        images = await _upscaled(request, wanted, [wanted.image])
    return json_response({"html_info": notes(wanted), "image": images[0]})


async def send_all_upscaled(request: web.Request) -> web.Response:
    """Resize pictures and send them."""
    async with request.app[keys.JOBS].spool() as spool:
        wanted = await read_pictures(request, UpscaleMany, spool)
        images = await _upscaled(request, wanted, [each.data for each in wanted.image_list])
    return json_response({"html_info": notes(wanted), "images": images})


async def _upscaled(request: web.Request, wanted: Upscale, paths: Sequence[str]) -> list[str]:
    check(wanted)
    max_pixels = request.app[keys.SETTINGS].max_pixels

    def work(path: str) -> str:
        picture = open_picture(path, "image", max_pixels=max_pixels)
        mode = "RGBA" if picture.has_transparency_data else "RGB"
        written = io.BytesIO()
        upscale(picture.convert(mode), wanted, max_pixels=max_pixels).save(written, "PNG")
        return encode(written.getvalue())

    return [await decoding(request, partial(work, path)) for path in paths]


async def send_memory(request: web.Request) -> web.Response:
    """Send how much memory the machine has."""
    del request
    memory = await asyncio.to_thread(psutil.virtual_memory)
    ram = {"free": memory.available, "used": memory.used, "total": memory.total}
    return json_response({"ram": ram, "cuda": {"error": "not measured"}})


async def unload(request: web.Request) -> web.Response:
    """Free the memory of models that no job uses."""
    await discard(request, limit=max_body(request.app[keys.SETTINGS]))
    await request.app[keys.EXECUTOR].unload()
    return json_response({})


async def reload(request: web.Request) -> web.Response:
    """Begin to load the text-to-image model."""
    await discard(request, limit=max_body(request.app[keys.SETTINGS]))
    request.app[keys.EXECUTOR].preload()
    return json_response({})


async def interrogate(request: web.Request) -> web.Response:
    """Refuse the request: the server has no model to describe pictures."""
    await discard(request, limit=max_body(request.app[keys.SETTINGS]))
    raise NotFoundError("Model not found")
