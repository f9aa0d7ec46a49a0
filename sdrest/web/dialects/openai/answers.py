"""Answers with pictures: as JSON, or as a stream of events."""

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web

from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey, Snapshot, Status
from sdrest.pictures.answers import encode
from sdrest.pictures.decoding import Size
from sdrest.web import keys
from sdrest.web.dialects.openai import addresses
from sdrest.web.dialects.openai.addresses import Shown
from sdrest.web.dialects.openai.errors import failure_response
from sdrest.web.dialects.openai.requests import ImageRequest
from sdrest.web.dialects.openai.schemas import NO_USAGE, ImageData, ImagesResponse
from sdrest.web.dialects.waiting import WAITING, Group

REQUEST_ID = "x-request-id"
"""Header that the SDKs keep with their results and errors; here it is the id of the first job."""

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: pictures of `size` for a request, and what is said besides."""

    wanted: ImageRequest
    size: Size
    warnings: Sequence[str]
    is_edit: bool = False

    def shown(self, key: JobKey) -> Shown:
        """Return the picture of a job as the client gets it."""
        wanted = self.wanted
        return Shown(key, wanted.output_format, self.size, wanted.output_compression)

    def said(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Return the warnings, and which pictures the safety checker replaced."""
        flagged = [
            f"The safety checker replaced picture {number}."
            for number, snapshot in enumerate(snapshots, 1)
            if snapshot.job.flagged
        ]
        return [*self.warnings, *flagged]


async def picture(app: web.Application, shown: Shown) -> bytes:
    """Return the bytes of a picture as a client gets it; raises what `JobService.image` raises."""
    path = await app[keys.JOBS].image(shown.key, 1)
    async with app[keys.DECODERS]:
        return await asyncio.to_thread(
            encode,
            path,
            shown.kind,
            size=shown.size,
            middle=shown.key.type is JobType.TEXT_TO_IMAGE,
            quality=shown.quality,
        )


async def send_file(request: web.Request) -> web.Response:
    """Send the picture at an address that an answer gave."""
    shown = addresses.read(request)
    data = await picture(request.app, shown)
    headers = {hdrs.CONTENT_TYPE: f"image/{shown.kind}", hdrs.CACHE_CONTROL: "private"}
    return web.Response(body=data, headers=headers)


async def send_json(request: web.Request, group: Group, answer: Answer) -> web.Response:
    """Wait for all pictures and send them; or, at once, why there will not be all of them."""
    waiting = request.app[WAITING]
    async with waiting.attend(request, group):
        snapshots = await waiting.complete(group)
    for snapshot in snapshots:
        if snapshot.job.status is not Status.COMPLETE:
            return _named(failure_response(snapshot.job.failure), group)
    data = [await _data(request, answer, snapshot) for snapshot in snapshots]
    wanted = answer.wanted
    body = ImagesResponse(
        created=int(time.time()),
        data=data,
        background="opaque",
        output_format=wanted.output_format,
        quality=wanted.made_quality,
        size=size_text(answer.size),
        usage=NO_USAGE,
        **({"warnings": said} if (said := answer.said(snapshots)) else {}),
    )
    encoded = await asyncio.to_thread(body.encode)
    return _named(web.Response(body=encoded, content_type=_JSON), group)


async def _data(request: web.Request, answer: Answer, snapshot: Snapshot) -> ImageData:
    shown, wanted = answer.shown(snapshot.job.key), answer.wanted
    members = {}
    if wanted.wants_data:
        members["b64_json"] = await as_base64(await picture(request.app, shown))
    if wanted.wants_url:
        members["url"] = addresses.url(request, shown)
    return ImageData(seed=snapshot.job.seed, **members)


async def as_base64(data: bytes) -> str:
    """Return bytes as text, without holding up the event loop."""
    return await asyncio.to_thread(lambda: base64.b64encode(data).decode())


def size_text(size: Size) -> str:
    """Return a size as requests have it."""
    return f"{size[0]}x{size[1]}"


def _named(response: web.Response, group: Group) -> web.Response:
    response.headers[REQUEST_ID] = group.keys[0].id
    return response
