"""The original's routes: ask for a job, see where it stands, fetch its images."""

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
from sdrest.web.requests.forms import JSON_HINT, Text, discard, expect, read_form, read_text
from sdrest.web.requests.multipart import Form, max_body
from sdrest.web.requests.proxy import prefix
from sdrest.web.requests.spool import Spool
from sdrest.web.responses.conditional import body_etag, is_fresh
from sdrest.web.responses.images import send_image
from sdrest.web.responses.render import JSON, job_body
from sdrest.web.responses.thumbnails import requested_side

JOB = "/{id:[0-9a-f]{32}}"
_IMAGE = "/{number:[1-9][0-9]{0,5}}.png"

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_LONGEST_WAIT = 60.0
"""Most seconds that an answer is held back; proxies give up after about as long."""

_SMALL = 4096
"""Bytes of the largest body that is remembered with its job."""

_REMEMBERED = 256
"""Bodies that are remembered, as many as the store keeps rows in memory."""

_REDIRECT_TYPES = ("text/plain", "text/html")


class JobRoutes:
    """The handlers of one job type."""

    def __init__(self, job_type: JobType) -> None:
        self.type = job_type
        self._known: LRUCache[Text, JobKey] = LRUCache(_REMEMBERED)

    @property
    def prefixes(self) -> tuple[str, str]:
        """The type as everybody spells it, and in any case."""
        return f"/{self.type}", f"/{{name:(?i:{self.type})}}"

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Register the routes; as in the original a last slash and the type's case do not matter.

        The spelling that everybody uses comes first, since aiohttp finds it in an index.
        """
        for start in self.prefixes:
            router.add_get(start + JOB + "{slash:/?}", self.get)
            router.add_get(start + JOB + _IMAGE, self.get_image)
            router.add_post(start + "{slash:/?}", self.post, expect_handler=expect)
            router.add_post(start + JOB + "{slash:/?}", self.post_again, expect_handler=expect)

    async def post(self, request: web.Request) -> web.Response:
        """Queue a job, unless it is known, and redirect to it."""
        text = await read_text(request)
        if text is None:
            key = await self._post_form(request)
        else:
            key = await self._post_text(request, text)
        return self.redirect(request, key)

    async def _post_text(self, request: web.Request, text: Text) -> JobKey:
        """Take a request without files.

        A known body is not parsed and validated again: clients repeat requests, and that would take
        2.5 times as long (240 against 90 µs).
        """
        queue = request.app[keys.QUEUE]
        known = self._known.get(text)
        if known is not None and queue.is_settled(known):
            return known
        try:
            form = await text.parse()
            self._require_uploads(form)
            params = validate(self.type, form.fields)
        except RequestError as error:
            if text.is_unmarked_json and not self.type.uploads:
                error.add_hint(JSON_HINT)
            raise
        wanted = self._requested(request, form)
        job = await queue.submit(wanted.submission(params))
        if len(text.body) <= _SMALL and not wanted.is_new:
            self._known[text] = job.key
        return job.key

    async def _post_form(self, request: web.Request) -> JobKey:
        """Take a request that may bring files."""
        max_upload = request.app[keys.SETTINGS].max_upload
        async with Spool(request.app[keys.FOLDERS]) as spool:
            form = await read_form(request, self.type, spool, max_upload=max_upload)
            self._require_uploads(form)
            wanted = self._requested(request, form)
            if form.uploads and not wanted.is_new and await _is_settled(request, wanted.key):
                return wanted.key
            return await self._submit(request, wanted, form, spool)

    def _requested(self, request: web.Request, form: Form) -> RequestedJob:
        """Return the job that a form asks for."""
        digests = {name: upload.sha256 for name, upload in form.uploads.items()}
        values = server_values(self.type, request.app[keys.SETTINGS], digests)
        return RequestedJob(self.type, form.fields, values)

    async def get(self, request: web.Request) -> web.Response:
        """Tell where a job stands."""
        body, etag = await self._answer(request)
        if is_fresh(request.headers, etag):
            return web.Response(status=304, headers={hdrs.ETAG: etag})
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.ETAG: etag})

    async def post_again(self, request: web.Request) -> web.Response:
        """Tell where a job stands; for clients that repeat their POST where it redirects to."""
        max_upload = request.app[keys.SETTINGS].max_upload
        await discard(request, limit=max_body(self.type.uploads, max_upload))
        body, etag = await self._answer(request)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON, hdrs.ETAG: etag})

    async def _answer(self, request: web.Request) -> tuple[bytes, str]:
        """Return the job's JSON and its ETag."""
        body = job_body(await self._snapshot(request, self.key(request)), prefix(request))
        return body, body_etag(body)

    async def _snapshot(self, request: web.Request, key: JobKey) -> Snapshot:
        """Return where the job stands: at once, or with `?wait=SECONDS` when that has changed."""
        queue = request.app[keys.QUEUE]
        seconds = _seconds(request)
        if not seconds:
            return await queue.get(key)
        with request.app[keys.HUB].subscribe(key) as subscription:
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

    async def get_image(self, request: web.Request) -> web.StreamResponse:
        """Send an image of a job; with `?size=PIXELS` one that is no larger."""
        number = int(request.match_info["number"])
        path = await request.app[keys.QUEUE].image(self.key(request), number)
        return await send_image(request, path, requested_side(request))

    def redirect(self, request: web.Request, key: JobKey) -> web.Response:
        """Send the client to a job, by the spelling of the type that it used itself."""
        name = request.match_info.get("name", self.type)
        return _redirect(request, f"{prefix(request)}/{name}/{key.id}")

    def key(self, request: web.Request) -> JobKey:
        """Return the key of the job that a request names."""
        return JobKey(self.type, request.match_info["id"])

    def _require_uploads(self, form: Form) -> None:
        """Without its files a request has no id; say so with all else that is wrong."""
        missing = [
            FieldError(name, "Is required, as a file in a multipart form.")
            for name in self.type.uploads
            if name not in form.uploads
        ]
        if missing or form.errors:
            validate(self.type, form.fields, others=[*missing, *form.errors])

    async def _submit(
        self, request: web.Request, wanted: RequestedJob, form: Form, spool: Spool
    ) -> JobKey:
        wrong: tuple[FieldError, ...] = ()
        inputs: Path | None = None
        if form.uploads:
            inputs = spool.folder("inputs")
            try:
                await _prepare(request, form, inputs)
            except InvalidRequestError as error:
                wrong = error.fields
        params = validate(self.type, form.fields, others=wrong)
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
