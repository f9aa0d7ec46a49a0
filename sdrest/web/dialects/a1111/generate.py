"""`txt2img` and `img2img`: each picture is a job, and the answer waits for all of them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from aiohttp import web

from sdrest.errors import NotFoundError
from sdrest.jobs.model import Status
from sdrest.jobs.submission import JobRequest
from sdrest.web import keys
from sdrest.web.dialects.a1111 import canvas, checkpoints, info, results
from sdrest.web.dialects.a1111.base64_pictures import encode
from sdrest.web.dialects.a1111.bodies import decoding, read_pictures
from sdrest.web.dialects.a1111.canvas import Canvas
from sdrest.web.dialects.a1111.errors import JobFailedError
from sdrest.web.dialects.a1111.fields import Img2Img, Txt2Img
from sdrest.web.dialects.a1111.generations import GENERATIONS, Generation
from sdrest.web.dialects.a1111.info import Made
from sdrest.web.dialects.a1111.mapping import Plan, plan
from sdrest.web.dialects.waiting import WAITING
from sdrest.web.responses.json_response import json_response


async def send_txt2img(request: web.Request) -> web.Response:
    """Make pictures from a prompt and send them."""
    return await _send(request, Txt2Img)


async def send_img2img(request: web.Request) -> web.Response:
    """Make pictures from pictures, perhaps of their masked parts, and send them."""
    return await _send(request, Img2Img)


async def _send(request: web.Request, kind: type[Txt2Img]) -> web.Response:
    async with request.app[keys.JOBS].spool() as spool:
        wanted = await read_pictures(request, kind, spool)
        if isinstance(wanted, Img2Img) and not any(wanted.init_images):
            raise NotFoundError("Init image not found")
        model = await checkpoints.chosen(request, wanted)
        planned = plan(wanted, model=model.parameter)
        params = [planned.params(number) for number in range(planned.count)]
        canvases = await _canvases(request, wanted, planned)
        requests = [
            JobRequest(each, canvases[number % len(canvases)].uploads if canvases else {})
            for number, each in enumerate(params)
        ]
        made = await _make(request, planned, requests, canvases, model)
        answer = info.answer(wanted, planned, made, model=model)
        if isinstance(wanted, Img2Img) and wanted.include_init_images:
            answer["parameters"] |= await decoding(request, lambda: _sources(wanted))
    return json_response(answer)


async def _canvases(request: web.Request, wanted: Txt2Img, planned: Plan) -> Sequence[Canvas]:
    """Return a canvas for each source picture, one after the other."""
    if not isinstance(wanted, Img2Img):
        return ()
    mask = Path(wanted.mask) if wanted.mask else None
    max_pixels = request.app[keys.SETTINGS].max_pixels
    prepare = partial(canvas.prepare, mask=mask, wanted=wanted, plan=planned, max_pixels=max_pixels)
    return [await decoding(request, partial(prepare, Path(path))) for path in wanted.init_images]


async def _make(
    request: web.Request,
    planned: Plan,
    requests: Sequence[JobRequest],
    canvases: Sequence[Canvas],
    model: checkpoints.Model,
) -> list[Made]:
    """Return the pictures that are done at the end; those of cancelled jobs are left out."""
    waiting = request.app[WAITING]
    group = await waiting.submit(request, requests, field="n_iter")
    generation = Generation(planned, group.keys)
    async with request.app[GENERATIONS].hold(generation), waiting.attend(request, group):
        snapshots = await waiting.ended(group)
    for snapshot in snapshots:
        if snapshot.job.status is Status.FAILED and snapshot.job.failure:
            raise JobFailedError(snapshot.job.failure)
    made = []
    for number, snapshot in enumerate(snapshots):
        if snapshot.job.status is Status.COMPLETE:
            path = await request.app[keys.JOBS].image(snapshot.job.key, 1)
            source = canvases[number % len(canvases)] if canvases else None
            finish = partial(results.finished, source=source, model=model)
            made.append(
                await decoding(request, partial(finish, path, planned, number, snapshot.job))
            )
    return made


def _sources(wanted: Img2Img) -> dict[str, object]:
    """Return the pictures of a request as it sent them."""
    return {
        "init_images": [encode(Path(path).read_bytes()) for path in wanted.init_images],
        "mask": encode(Path(wanted.mask).read_bytes()) if wanted.mask else None,
    }
