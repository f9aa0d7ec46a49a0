"""Routes that the original lacks: list all jobs; preview, cancel, retry and delete one."""

import re
from collections.abc import Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar

from aiohttp import hdrs, web

from sdrest.errors import FieldError, InvalidRequestError, NoPreviewError
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.web import keys
from sdrest.web.dialects.original import redirect_to_job
from sdrest.web.requests.job_path import job_key
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.json_response import body_response, json_response
from sdrest.web.responses.render import job_body, job_entry

_DEFAULT_LIMIT = 100
_MAX_LIMIT = 1000
_MAX_CURSOR = 10**18 - 1

_NUMBER = re.compile("[1-9][0-9]{0,17}")

MAX_SEARCH = 200
"""Most characters of a search."""


class Favourite(StrEnum):
    """What `favourite` may say; without it jobs are listed with or without favourites."""

    TRUE = "true"


T = TypeVar("T", Status, JobType, Favourite)


async def send_job_preview(request: web.Request) -> web.Response:
    """Send the latest preview of a running job."""
    key, service = job_key(request), request.app[keys.JOBS]
    preview = service.preview(key)
    if preview is None:
        await service.get(key)  # raises for a job that does not exist
        if not request.app[keys.SETTINGS].previews:
            raise NoPreviewError("This server makes no previews (--no-previews).")
        raise NoPreviewError
    headers = {hdrs.CONTENT_TYPE: preview.media_type, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(body=preview.data, headers=headers)


async def cancel_job(request: web.Request) -> web.Response:
    """Cancel a job, unless it has ended, and answer its status."""
    snapshot = await request.app[keys.JOBS].cancel(job_key(request))
    return body_response(job_body(snapshot, prefix(request)))


async def retry_job(request: web.Request) -> web.Response:
    """Run a FAILED or CANCELLED job again, and redirect to it."""
    key = job_key(request)
    await request.app[keys.JOBS].retry(key)
    return redirect_to_job(request, key)


async def delete_job(request: web.Request) -> web.Response:
    """Remove a job with all its files."""
    await request.app[keys.JOBS].delete(job_key(request))
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def list_jobs(request: web.Request) -> web.Response:
    """Send a page of jobs, newest first, and how many there are in each state."""
    query = _Query(request)
    status = query.one_of("status", Status)
    job_type = query.one_of("type", JobType)
    limit = query.number("limit", _MAX_LIMIT, "a whole number from 1 to 1000")
    cursor = query.number("cursor", _MAX_CURSOR, "the nextCursor of an answer")
    words = query.words("q")
    favourites = query.one_of("favourite", Favourite) is not None
    query.check()
    snapshots, page = await request.app[keys.JOBS].page(
        status,
        job_type,
        words=words,
        favourites=favourites,
        before=cursor,
        limit=limit or _DEFAULT_LIMIT,
    )
    answer = {
        "counts": page.counts,
        "jobs": [job_entry(snapshot, prefix=prefix(request)) for snapshot in snapshots],
        "nextCursor": None if page.following is None else str(page.following),
    }
    return json_response(answer)


class _Query:
    """Reads a query string; `check` raises an error that names all that was wrong."""

    def __init__(self, request: web.Request) -> None:
        self._query = request.query
        self._wrong: list[FieldError] = []

    def _text(self, name: str) -> str | None:
        """Return the value of a parameter, which is to come once at most."""
        texts = self._query.getall(name, [])
        if len(texts) > 1:
            self._wrong.append(FieldError(name, "Should come once only."))
        return texts[0] if texts else None

    def one_of(self, name: str, kind: type[T]) -> T | None:
        """Return a member of `kind`; None if absent or wrong."""
        text = self._text(name)
        found = next((member for member in kind if member == text), None)
        if text is not None and found is None:
            self._wrong.append(FieldError(name, f"Should be one of {', '.join(kind)}."))
        return found

    def number(self, name: str, maximum: int, wants: str) -> int | None:
        """Return a number from 1 to `maximum`; None if absent or wrong."""
        text = self._text(name)
        if text is None:
            return None
        if _NUMBER.fullmatch(text) and (number := int(text)) <= maximum:
            return number
        self._wrong.append(FieldError(name, f"Should be {wants}."))
        return None

    def words(self, name: str) -> Sequence[str]:
        """Return the words of a text."""
        text = self._text(name) or ""
        if len(text) > MAX_SEARCH:
            self._wrong.append(FieldError(name, f"Should have at most {MAX_SEARCH} characters."))
            return ()
        return text.split()

    def check(self) -> None:
        """Raise `InvalidRequestError` if something was wrong."""
        if self._wrong:
            raise InvalidRequestError(self._wrong)
