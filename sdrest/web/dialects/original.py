"""The original's routes: submit a job, read its status, fetch its images."""

import asyncio
import html
import re
from contextlib import suppress
from pathlib import Path

from aiohttp import hdrs, web
from cachetools import LRUCache

from sdrest import pictures
from sdrest.errors import FieldError, GoneError, InvalidRequestError, RequestError
from sdrest.jobs.insert import can_requeue
from sdrest.jobs.model import JobKey, Snapshot
from sdrest.params import JobType, validate
from sdrest.web import keys
from sdrest.web.dialects.negotiation import preferred
from sdrest.web.dialects.original_ids import server_values
from sdrest.web.dialects.requested_job import RequestedJob
from sdrest.web.live.hub import HUB
from sdrest.web.requests.forms import JSON_HINT, Text, discard, read_form, read_text
from sdrest.web.requests.job_path import given_type, job_key, job_type
from sdrest.web.requests.multipart import Form, max_body
from sdrest.web.requests.proxy import prefix
from sdrest.web.requests.spool import Spool
from sdrest.web.responses.conditional import body_etag, is_fresh
from sdrest.web.responses.images import send_image
from sdrest.web.responses.render import JSON, job_body
from sdrest.web.responses.thumbnails import requested_side

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LONGEST_WAIT = 60.0
"""Most seconds that an answer is held back; proxies give up after about as long."""

_SMALL = 4096
"""Bytes of the largest body that is remembered with its job."""

_REMEMBERED = 256
"""Bodies that are remembered, as many as the store keeps rows in memory."""

KNOWN_REQUESTS = web.AppKey[LRUCache[tuple[JobType, Text], JobKey]]("known_requests", LRUCache)
"""The jobs of recent bodies without files."""

_REDIRECT_TYPES = ("text/plain", "text/html")


def known_requests() -> LRUCache[tuple[JobType, Text], JobKey]:
    """Return an empty cache for `KNOWN_REQUESTS`."""
    return LRUCache(_REMEMBERED)


async def submit_job(request: web.Request) -> web.Response:
    """Queue a job, unless it is known, and redirect to it."""
    text = await read_text(request)
    if text is None:
        key = await _post_form(request)
    else:
        key = await _post_text(request, text)
    return redirect_to_job(request, key)


async def _post_text(request: web.Request, text: Text) -> JobKey:
    """Take a request without files.

    A known body is not parsed and validated again: clients repeat requests, and that would take
    2.5 times as long (240 against 90 µs).
    """
    queue, kind = request.app[keys.QUEUE], job_type(request)
    known = request.app[KNOWN_REQUESTS].get((kind, text))
    if known is not None and queue.is_settled(known):
        return known
    try:
        form = await text.parse()
        _require_uploads(kind, form)
        params = validate(kind, form.fields)
    except RequestError as error:
        if text.is_unmarked_json and not kind.uploads:
            error.add_hint(JSON_HINT)
        raise
    wanted = _requested(request, form)
    job = await queue.submit(wanted.submission(params))
    if len(text.body) <= _SMALL and not wanted.is_new:
        request.app[KNOWN_REQUESTS][kind, text] = job.key
    return job.key


async def _post_form(request: web.Request) -> JobKey:
    """Take a request that may bring files."""
    max_upload = request.app[keys.SETTINGS].max_upload
    kind = job_type(request)
    async with Spool(request.app[keys.FOLDERS]) as spool:
        form = await read_form(request, kind, spool, max_upload=max_upload)
        _require_uploads(kind, form)
        wanted = _requested(request, form)
        if form.uploads and not wanted.is_new and await _is_settled(request, wanted.key):
            return wanted.key
        return await _submit(request, wanted, form, spool)


def _requested(request: web.Request, form: Form) -> RequestedJob:
    """Return the job that a form asks for."""
    digests = {name: upload.sha256 for name, upload in form.uploads.items()}
    kind = job_type(request)
    values = server_values(kind, request.app[keys.SETTINGS], digests)
    return RequestedJob(kind, form.fields, values)


async def send_job(request: web.Request) -> web.Response:
    """Answer a job's status."""
    body, etag = await _answer(request)
    if is_fresh(request.headers, etag):
        return web.Response(status=304, headers={hdrs.ETAG: etag})
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.ETAG: etag})


async def send_job_again(request: web.Request) -> web.Response:
    """Answer a job's status, for clients that repeat their POST after the redirect."""
    max_upload = request.app[keys.SETTINGS].max_upload
    await discard(request, limit=max_body(job_type(request).uploads, max_upload))
    body, etag = await _answer(request)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.ETAG: etag})


async def _answer(request: web.Request) -> tuple[bytes, str]:
    """Return the job's JSON and its ETag."""
    body = job_body(await _snapshot(request, job_key(request)), prefix(request))
    return body, body_etag(body)


async def _snapshot(request: web.Request, key: JobKey) -> Snapshot:
    """Return the job's state: at once, or with `?wait=SECONDS` when it has changed."""
    queue = request.app[keys.QUEUE]
    seconds = _seconds(request)
    if not seconds:
        return await queue.get(key)
    with request.app[HUB].subscribe(key) as subscription:
        snapshot = await queue.get(key)
        if snapshot.job.status.final:
            return snapshot
        body = job_body(snapshot)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await subscription.take():
                    changed = await queue.get(key)
                    if job_body(changed) != body:
                        return changed
    return snapshot


async def send_job_image(request: web.Request) -> web.StreamResponse:
    """Send an image of a job; with `?size=PIXELS` one that is no larger."""
    number = int(request.match_info["number"])
    path = await request.app[keys.QUEUE].image(job_key(request), number)
    return await send_image(request, path, requested_side(request))


def redirect_to_job(request: web.Request, key: JobKey) -> web.Response:
    """Redirect the client to a job, with the type in the case that the client used."""
    return _redirect(request, f"{prefix(request)}/{given_type(request)}/{key.id}")


def _require_uploads(kind: JobType, form: Form) -> None:
    """Without its files a request has no id; say so with all else that is wrong."""
    missing = [
        FieldError(name, "Is required, as a file in a multipart form.")
        for name in kind.uploads
        if name not in form.uploads
    ]
    if missing or form.errors:
        validate(kind, form.fields, others=[*missing, *form.errors])


async def _submit(request: web.Request, wanted: RequestedJob, form: Form, spool: Spool) -> JobKey:
    wrong: tuple[FieldError, ...] = ()
    inputs: Path | None = None
    if form.uploads:
        inputs = spool.folder("inputs")
        try:
            await _prepare(request, form, inputs)
        except InvalidRequestError as error:
            wrong = error.fields
    params = validate(job_type(request), form.fields, others=wrong)
    job = await request.app[keys.QUEUE].submit(wanted.submission(params, inputs))
    return job.key


def _seconds(request: web.Request) -> float:
    """Return how long an answer may be held back: the query's `wait`, at most `_LONGEST_WAIT`."""
    text, *others = request.query.getall("wait", ["0"])
    if others or not _SECONDS.fullmatch(text):
        raise InvalidRequestError([FieldError("wait", "Should be a number of seconds.")])
    return min(float(text), _LONGEST_WAIT)


async def _is_settled(request: web.Request, key: JobKey) -> bool:
    """Whether the job is known and needs nothing more, not even its pictures decoded."""
    try:
        known = await request.app[keys.QUEUE].find(key)
    except GoneError:
        return False
    return known is not None and not can_requeue(known.job.status)


async def _prepare(request: web.Request, form: Form, target: Path) -> None:
    """Decode the uploads; few at once, since a picture is large when it is open."""
    paths = {name: upload.path for name, upload in form.uploads.items()}
    max_pixels = request.app[keys.SETTINGS].max_pixels
    async with request.app[keys.DECODERS]:
        await asyncio.to_thread(pictures.prepare, paths, target, max_pixels=max_pixels)


def _redirect(request: web.Request, location: str) -> web.Response:
    """Answer 302 with the body that the client's Accept header asks for, as express does."""
    text = f"Found. Redirecting to {location}"
    headers = {hdrs.LOCATION: location, hdrs.VARY: hdrs.ACCEPT}
    media_type = preferred(request.headers.get(hdrs.ACCEPT), _REDIRECT_TYPES)
    match media_type:
        case None:
            return web.Response(status=302, headers=headers)
        case "text/html":
            text = f"<p>{html.escape(text)}</p>"
    headers[hdrs.CONTENT_TYPE] = f"{media_type}; charset=utf-8"
    return web.Response(status=302, body=text.encode(), headers=headers)
