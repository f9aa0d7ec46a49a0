"""Routes for many jobs or images at once: favourites, cancel all, delete several, one zip file."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import web

from sdrest.errors import (
    FieldError,
    GoneError,
    InvalidRequestError,
    NotFoundError,
    SdrestError,
    UnsupportedMediaTypeError,
)
from sdrest.job_types import JobType
from sdrest.jobs.model import Job, JobKey, Status
from sdrest.web import keys
from sdrest.web.requests.forms import read_json, read_text
from sdrest.web.requests.job_path import job_key
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.archive import Source, send_archive

_MAX_BODY = 2**20
"""Most bytes of a list of paths: some 17,000 images."""

_PAGE = 1000

_PATH = re.compile(rf"/({'|'.join(JobType)})/([0-9a-f]{{32}})(?:/([1-9][0-9]{{0,5}})\.png)?")


async def mark_favourite(request: web.Request) -> web.Response:
    """Mark an image as a favourite."""
    return await _mark(request, is_favourite=True)


async def unmark_favourite(request: web.Request) -> web.Response:
    """Unmark an image."""
    return await _mark(request, is_favourite=False)


async def _mark(request: web.Request, *, is_favourite: bool) -> web.Response:
    number = int(request.match_info["number"])
    service = request.app[keys.JOBS]
    await service.mark_favourite(job_key(request), number, is_favourite=is_favourite)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def cancel_jobs(request: web.Request) -> web.Response:
    """Cancel all jobs that wait, then those that run, so that none starts meanwhile."""
    service = request.app[keys.JOBS]
    for status in (Status.QUEUED, Status.IN_PROGRESS):
        following = None
        while True:
            snapshots, page = await service.page(status, before=following, limit=_PAGE)
            await asyncio.gather(*(_cancel(request, seen.job.key) for seen in snapshots))
            following = page.following
            if following is None:
                break
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _cancel(request: web.Request, key: JobKey) -> None:
    with suppress(GoneError, NotFoundError):  # deleted meanwhile
        await request.app[keys.JOBS].cancel(key)


async def delete_jobs(request: web.Request) -> web.Response:
    """Remove several jobs with all their files."""
    values = (await read_json(request, limit=_MAX_BODY)).get("jobs")
    paths = dict.fromkeys(_parse(request, "jobs", values))
    if not paths or any(number for _, number in paths):
        raise InvalidRequestError([FieldError("jobs", "Should be a list of paths of jobs.")])
    for key, _ in paths:
        with suppress(GoneError, NotFoundError):
            await request.app[keys.JOBS].delete(key)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def send_zip(request: web.Request) -> web.StreamResponse:
    """Send several images as one zip file."""
    text = await read_text(request, limit=_MAX_BODY)
    if text is None:
        raise UnsupportedMediaTypeError(
            "The body's Content-Type should be application/json or "
            "application/x-www-form-urlencoded."
        )
    values = (await text.parse()).fields.get("images")
    if isinstance(values, str):  # of a form
        values = values.split()
    images = list(dict.fromkeys(_parse(request, "images", values)))
    if not images or not all(number for _, number in images):
        raise InvalidRequestError([FieldError("images", "Should be a list of paths of images.")])
    return await send_archive(request, _sources(request, images))


async def _sources(request: web.Request, images: list[tuple[JobKey, int]]) -> AsyncIterator[Source]:
    service = request.app[keys.JOBS]
    for key, number in images:
        try:
            path = await service.image(key, number)
            job: Job = (await service.get(key)).job
        except SdrestError as error:
            yield Source(key.image_url(number), problem=error.message)
        else:
            yield Source(key.image_url(number), job, number, path)


def _parse(request: web.Request, name: str, values: Any) -> Iterator[tuple[JobKey, int]]:
    """Yield the job of each path, and the number of its image, 0 for the job itself."""
    start = prefix(request)
    for value in values if isinstance(values, list) else [None]:
        match = _PATH.fullmatch(value.removeprefix(start)) if isinstance(value, str) else None
        if match is None:
            raise InvalidRequestError([FieldError(name, "Should be a list of paths.")])
        yield JobKey(JobType(match[1]), match[2]), int(match[3] or 0)
