"""The routes of images: read a request, make a job for each picture, wait, answer."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.jobs.spool import Upload
from sdrest.jobs.submission import JobRequest
from sdrest.pictures.edits import Edit, prepare_edit
from sdrest.web import keys
from sdrest.web.dialects.openai import model_list
from sdrest.web.dialects.openai.answers import Answer, send_json
from sdrest.web.dialects.openai.differences import differences
from sdrest.web.dialects.openai.requests import (
    DEFAULT_SIZE,
    MAX_JSON,
    REQUIRED,
    ImageRequest,
    edit_params,
    generation_params,
    read,
    variation_params,
)
from sdrest.web.dialects.openai.streams import send_stream
from sdrest.web.dialects.waiting import WAITING, Group, identify, picture_requests
from sdrest.web.requests.forms import read_files, read_json
from sdrest.web.requests.multipart import Form

_IMAGE, _IMAGES, _MASK = "image", "image[]", "mask"
"""One picture, a list of pictures, and what is repainted; clients send lists of one, too."""


async def generate(request: web.Request) -> web.StreamResponse:
    """Make pictures of a prompt."""
    fields = await read_json(request, limit=MAX_JSON, any_type=True)
    wanted = read(fields, needs_prompt=True)
    size = wanted.requested_size() or DEFAULT_SIZE
    params = generation_params(wanted, size, await _model(request, wanted))
    jobs = picture_requests(params, wanted.first_seed(), wanted.n)
    group = await _group(request, jobs, identify(request, fields, {}))
    return await _send(request, group, Answer(wanted, size, [*differences(wanted, fields, params)]))


async def edit(request: web.Request) -> web.StreamResponse:
    """Change a picture by a prompt: all of it, or what its mask has transparent."""
    return await _change(request, is_variation=False)


async def vary(request: web.Request) -> web.StreamResponse:
    """Make variations of a picture."""
    return await _change(request, is_variation=True)


async def _change(request: web.Request, *, is_variation: bool) -> web.StreamResponse:
    names = (_IMAGE, _IMAGES) if is_variation else (_IMAGE, _IMAGES, _MASK)
    max_upload = request.app[keys.SETTINGS].max_upload
    async with request.app[keys.JOBS].spool() as spool:
        form = await read_files(request, names, spool, max_upload=max_upload)
        wanted = read(form.fields, needs_prompt=not is_variation, others=_missing(form))
        model = await _model(request, wanted)
        edited = await _prepare(request, wanted, form)
        if is_variation:
            params = variation_params(wanted, model)
        else:
            params = edit_params(wanted, model, has_mask=_MASK in edited.uploads)
        jobs = picture_requests(params, wanted.first_seed(), wanted.n, edited.uploads)
        digests = {name: upload.sha256 for name, upload in form.uploads.items()}
        group = await _group(request, jobs, identify(request, form.fields, digests))
    said = [
        *differences(wanted, form.fields, params, is_variation=is_variation),
        *_said(edited, form),
    ]
    return await _send(request, group, Answer(wanted, edited.size, said, is_edit=True))


async def _model(request: web.Request, wanted: ImageRequest) -> Mapping[str, Any]:
    """Return the parameter that names the checkpoint; raises `ModelNotFoundError`."""
    name = wanted.model_name()
    return {} if name is None else {"model": (await model_list.find(request.app, name)).file}


def _missing(form: Form) -> Iterable[FieldError]:
    if _picture(form) is None:
        yield FieldError(_IMAGE, REQUIRED)
    for error in form.errors:
        if error.field not in {_IMAGE, _IMAGES}:
            yield error


def _picture(form: Form) -> Upload | None:
    return form.uploads.get(_IMAGE) or form.uploads.get(_IMAGES)


async def _prepare(request: web.Request, wanted: ImageRequest, form: Form) -> Edit:
    image, mask = _picture(form), form.uploads.get(_MASK)
    if image is None:
        raise InvalidRequestError([FieldError(_IMAGE, REQUIRED)])
    async with request.app[keys.DECODERS]:
        return await asyncio.to_thread(
            prepare_edit,
            image.path,
            None if mask is None else mask.path,
            wanted.requested_size(),
            image.path.parent,
            max_pixels=request.app[keys.SETTINGS].max_pixels,
        )


def _said(edited: Edit, form: Form) -> Iterable[str]:
    pictures = [name for name in (_IMAGE, _IMAGES) if name in form.uploads]
    if len(pictures) > 1 or any(error.field in {_IMAGE, _IMAGES} for error in form.errors):
        yield "image: only the first picture is used."
    if edited.is_cropped:
        yield "size: the picture has another shape; two of its edges are cut off."
    if edited.is_reduced:
        yield "size: the picture is made smaller; name a size to have a larger one."
    if edited.is_enlarged:
        yield "size: the picture is made larger; the smallest square is 256x256."
    if edited.from_image:
        yield "image: its transparent parts are repainted, since there is no mask."


async def _group(request: web.Request, jobs: list[JobRequest], identity: str) -> Group:
    """Return the jobs of a request: those of its first try, or new ones."""
    waiting = request.app[WAITING]
    known = waiting.first_try(request, identity)
    return known or await waiting.submit(request, jobs, field="n", identity=identity)


async def _send(request: web.Request, group: Group, answer: Answer) -> web.StreamResponse:
    send = send_stream if answer.wanted.stream else send_json
    return await send(request, group, answer)
