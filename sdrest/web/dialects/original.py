"""The original's routes: submit a job, read its status, fetch its images."""

import html
import re

from aiohttp import hdrs, web
from cachetools import LRUCache

from sdrest.errors import FieldError, InvalidRequestError, RequestError
from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey, Snapshot
from sdrest.params import asks_random_seed, validate
from sdrest.web import keys
from sdrest.web.dialects.negotiation import preferred
from sdrest.web.dialects.original_ids import server_values
from sdrest.web.dialects.requested_job import RequestedJob
from sdrest.web.requests.forms import JSON_HINT, Text, discard, read_form, read_text
from sdrest.web.requests.job_path import given_type, job_key, job_type
from sdrest.web.requests.multipart import Form, max_body
from sdrest.web.requests.proxy import prefix, server_url
from sdrest.web.responses.conditional import body_etag, is_fresh
from sdrest.web.responses.images import send_image
from sdrest.web.responses.render import JSON, job_body
from sdrest.web.responses.thumbnails import requested_side
from sdrest.web.webhooks import fields as webhook_fields

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
    kind = job_type(request)
    known = request.app[KNOWN_REQUESTS].get((kind, text))
    if known is not None and request.app[keys.JOBS].is_settled(known):
        return known
    try:
        form = await text.parse()
        key = await _submit(request, form)
    except RequestError as error:
        if text.is_unmarked_json and not kind.uploads:
            error.add_hint(JSON_HINT)
        raise
    if len(text.body) <= _SMALL and not asks_random_seed(form.fields):
        request.app[KNOWN_REQUESTS][kind, text] = key
    return key


async def _post_form(request: web.Request) -> JobKey:
    """Take a request that may bring files."""
    max_upload = request.app[keys.SETTINGS].max_upload
    async with request.app[keys.JOBS].spool() as spool:
        form = await read_form(request, job_type(request), spool, max_upload=max_upload)
        return await _submit(request, form)


async def _submit(request: web.Request, form: Form) -> JobKey:
    """Submit a request; raise one error for all that is wrong with its fields and files."""
    service, kind = request.app[keys.JOBS], job_type(request)
    _require_uploads(kind, form)
    uploads = {name: upload.path for name, upload in form.uploads.items()}
    private = request.app[keys.SETTINGS].webhook_private
    webhook, unusable = webhook_fields.read(form.fields, server_url(request), private=private)
    try:
        params = validate(kind, form.fields, others=unusable)
    except InvalidRequestError:
        wrong = await service.check_pictures(uploads) if uploads else ()
        params = validate(kind, form.fields, others=[*unusable, *wrong])
    wanted = _requested(request, form)
    job = await service.submit(
        params, uploads, key=wanted.key, seed=wanted.seed, redraw=wanted.redraw, webhook=webhook
    )
    return job.key


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
    await discard(request, limit=max_body(job_type(request).all_uploads, max_upload))
    body, etag = await _answer(request)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.ETAG: etag})


async def _answer(request: web.Request) -> tuple[bytes, str]:
    """Return the job's JSON and its ETag."""
    body = job_body(await _snapshot(request, job_key(request)), prefix(request))
    return body, body_etag(body)


async def _snapshot(request: web.Request, key: JobKey) -> Snapshot:
    """Return the job's state: at once, or with `?wait=SECONDS` when it has changed."""
    service = request.app[keys.JOBS]
    seconds = _seconds(request)
    snapshot = await service.get(key)
    if not seconds or snapshot.job.status.final:
        return snapshot
    body = job_body(snapshot)
    return await service.wait(key, seconds, until=lambda changed: job_body(changed) != body)


async def send_job_image(request: web.Request) -> web.StreamResponse:
    """Send an image of a job; with `?size=PIXELS` a copy of at most that size."""
    number = int(request.match_info["number"])
    path = await request.app[keys.JOBS].image(job_key(request), number)
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
    texts = [
        FieldError(name, "Should be a file in a multipart form.")
        for name in kind.optional_uploads
        if form.fields.get(name) and name not in form.uploads
    ]
    if missing or texts or form.errors:
        validate(kind, form.fields, others=[*missing, *texts, *form.errors])


def _seconds(request: web.Request) -> float:
    """Return how long an answer may be held back: the query's `wait`, at most `_LONGEST_WAIT`."""
    if "wait" not in request.query:
        return 0
    text, *others = request.query.getall("wait")
    if others or not _SECONDS.fullmatch(text):
        raise InvalidRequestError([FieldError("wait", "Should be a number of seconds.")])
    return min(float(text), _LONGEST_WAIT)


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
