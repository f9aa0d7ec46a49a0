"""A request's body becomes fields and uploads, whichever of the three encodings it has."""

import asyncio
import codecs
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from sdrest.errors import MalformedRequestError, TooLargeError, UnsupportedMediaTypeError
from sdrest.job_types import JobType
from sdrest.jobs.spool import Spool
from sdrest.web.requests.fields import Fields, parse_json, parse_urlencoded
from sdrest.web.requests.multipart import Form, max_body, read_multipart

MAX_BODY = 102_400
"""Most bytes of a JSON or urlencoded body, as in the original."""

_QUICK = 4096
"""Longer urlencoded bodies are read off the event loop: the worst 100 kB take most of a second."""

JSON_HINT = "The body looks like JSON: add --header 'Content-Type: application/json'."

_JSON = "application/json"
_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"

PATIENCE = 300.0
"""Seconds that a client has to send its body, as node's servers give it."""


@dataclass(frozen=True, slots=True)
class Text:
    """A body without files as it came, with its media type and charset."""

    kind: str
    charset: str
    body: bytes

    @property
    def is_unmarked_json(self) -> bool:
        """Whether the body looks like JSON and is sent as a form, curl's default."""
        start = self.body.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        return self.kind == _URLENCODED and start in {b"{", b"["}

    async def parse(self) -> Form:
        """Return its fields."""
        if self.kind == _JSON:
            return Form(parse_json(self.body, self.charset))
        if len(self.body) <= _QUICK:
            return Form(parse_urlencoded(self.body, self.charset))
        return Form(await asyncio.to_thread(parse_urlencoded, self.body, self.charset))


async def read_text(request: web.Request, *, limit: int = MAX_BODY) -> Text | None:
    """Read a JSON or urlencoded body of at most `limit` bytes.

    None stands for any other, which is not touched.
    """
    if request.content_type not in {_JSON, _URLENCODED}:
        return None
    _require_plain(request)
    if request.content.is_eof():  # it came with the head, as small ones do
        body = request.content.read_nowait()
        if len(body) > limit:
            raise _too_large(limit)
    else:
        async with _patience():
            body = await _body(request, limit)
    return Text(request.content_type, request.charset or "utf-8", body)


async def read_form(
    request: web.Request, job_type: JobType, spool: Spool, *, max_upload: int
) -> Form:
    """Read a body that is not a `Text`; files of at most `max_upload` MiB go to the spool."""
    _require_plain(request)
    async with _patience():
        return await _read(request, job_type, spool, max_upload=max_upload)


async def read_files(
    request: web.Request, names: Collection[str], spool: Spool, *, max_upload: int
) -> Form:
    """Read a multipart form; the files called `names`, of at most `max_upload` MiB, are spooled."""
    _require_plain(request)
    if request.content_type != _MULTIPART:
        raise UnsupportedMediaTypeError("The body's Content-Type should be multipart/form-data.")
    async with _patience():
        _check_length(request, max_body(names, max_upload))
        return await read_multipart(request, names, spool, max_upload=max_upload)


async def read_json(
    request: web.Request, *, limit: int = MAX_BODY, any_type: bool = False
) -> Fields:
    """Read a body that is to be a JSON object of at most `limit` bytes.

    With `any_type` its Content-Type does not matter; some clients send none.
    """
    _require_plain(request)
    if request.content_type != _JSON and not any_type:
        raise UnsupportedMediaTypeError("The body's Content-Type should be application/json.")
    async with _patience():
        body = await _body(request, limit)
    charset = request.charset or "utf-8"
    if len(body) <= MAX_BODY:
        return parse_json(body, charset)
    return await asyncio.to_thread(parse_json, body, charset)


async def receive_body(request: web.Request, spool: Spool, *, limit: int) -> Path:
    """Write a body of at most `limit` bytes to the spool; return the file."""
    _require_plain(request)
    _check_length(request, limit)
    async with _patience():
        return (await spool.receive("body", _chunks(request, limit))).path


async def discard(request: web.Request, *, limit: int) -> None:
    """Discard a body of at most `limit` bytes, so that the client can finish sending."""
    _check_length(request, limit)
    async with _patience():
        async for _ in _chunks(request, limit):
            pass


async def _chunks(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        yield chunk


def _require_plain(request: web.Request) -> None:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise UnsupportedMediaTypeError("A compressed body is not accepted.")


@asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    """Bound the reading of a body, and say what is wrong with how it came."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError:
        raise MalformedRequestError(f"The body did not come within {PATIENCE:g} seconds.") from None
    except web.RequestPayloadError:
        raise MalformedRequestError("The body is incomplete.") from None


async def _read(request: web.Request, job_type: JobType, spool: Spool, *, max_upload: int) -> Form:
    match request.content_type:
        case "multipart/form-data":
            uploads = job_type.all_uploads
            _check_length(request, max_body(uploads, max_upload))
            return await read_multipart(request, uploads, spool, max_upload=max_upload)
        case _ if not request.can_read_body:
            return Form()
        case _:
            raise UnsupportedMediaTypeError(
                "The body's Content-Type should be application/json, "
                "application/x-www-form-urlencoded or multipart/form-data."
            )


async def _body(request: web.Request, limit: int = MAX_BODY) -> bytes:
    _check_length(request, limit)
    body = bytearray()
    async for chunk in _chunks(request, limit):
        body += chunk
    return bytes(body)


def _check_length(request: web.Request, limit: int) -> None:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body has more than {limit} bytes.", limit=limit)
