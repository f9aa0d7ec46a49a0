"""How far the current request is, and its end: `progress`, `interrupt`, `skip`."""

from typing import Any

from aiohttp import web

from sdrest.web import keys
from sdrest.web.dialects.a1111.base64_pictures import encode
from sdrest.web.dialects.a1111.generations import GENERATIONS, generation_progress
from sdrest.web.requests.forms import discard
from sdrest.web.responses.json_response import json_response

_MOST_BODY = 102_400
"""Bytes of a body that is ignored."""


async def send_progress(request: web.Request) -> web.Response:
    """Send the progress of the oldest request that runs; zeros where there is none."""
    service = request.app[keys.JOBS]
    found = await request.app[GENERATIONS].current(service)
    answer: dict[str, Any] = {
        "progress": 0.0,
        "eta_relative": 0.0,
        "state": {
            "skipped": False,
            "interrupted": False,
            "stopping_generation": False,
            "job": "",
            "job_count": 0,
            "job_timestamp": "0",
            "job_no": 0,
            "sampling_step": 0,
            "sampling_steps": 0,
        },
        "current_image": None,
        "textinfo": None,
    }
    if found is not None:
        generation, snapshot = found
        at = generation_progress(generation, snapshot)
        steps = generation.plan.steps
        answer |= {"progress": at.progress, "eta_relative": at.remaining}
        if snapshot is not None and not _skips_image(request):
            preview = service.preview(snapshot.job.key)
            answer["current_image"] = encode(preview.data) if preview else None
        answer["state"] |= {
            "job": "scripts_txt2img",
            "job_count": len(generation.jobs),
            "job_no": generation.done,
            "sampling_step": int(at.fraction * steps),
            "sampling_steps": steps,
        }
    return json_response(answer)


def _skips_image(request: web.Request) -> bool:
    return request.query.get("skip_current_image", "").lower() in {"true", "1"}


async def interrupt(request: web.Request) -> web.Response:
    """End the current request, whose answer has the pictures that are done."""
    await _end(request, batch=False)
    return json_response({})


async def skip(request: web.Request) -> web.Response:
    """End the current batch; the request goes on with the next one."""
    await _end(request, batch=True)
    return json_response(None)


async def _end(request: web.Request, *, batch: bool) -> None:
    await discard(request, limit=_MOST_BODY)
    service = request.app[keys.JOBS]
    found = await request.app[GENERATIONS].current(service)
    if found is not None:
        await found[0].cancel(service, batch=batch)
