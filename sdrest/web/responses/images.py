"""Published images over HTTP: whole, in part, smaller, or not at all if the client has them.

aiohttp's FileResponse is not used: it is not faster, its validators are not the original's, and
its refusals (412, 416) have no body. Images are written in slices, so that TLS holds a slice for
each connection and not the image.
"""

import asyncio
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from sdrest import png
from sdrest.errors import NotFoundError
from sdrest.web.responses.conditional import (
    Range,
    UnsatisfiableRangeError,
    file_etag,
    http_date,
    is_fresh,
    is_precondition_failed,
    requested_range,
)
from sdrest.web.responses.errors import (
    PreconditionFailedError,
    RangeNotSatisfiableError,
    request_error_response,
)
from sdrest.web.responses.thumbnails import THUMBNAILS

_CHUNK = 1024 * 1024
"""Bytes of a larger image that are read at once."""

_WHOLE = 4 * _CHUNK
"""Bytes of the largest image that is read at once."""

_SLICE = 128 * 1024
"""Bytes that are written at once."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class _Image:
    """An open image. `modified` is in whole seconds since the epoch, as in its headers."""

    descriptor: int
    size: int
    etag: str
    modified: int
    identity: tuple[int, ...]
    """What differs for another file, and for other bytes in the same one."""

    content: bytes | bytearray | None = None
    """What is sent in place of the file."""

    @property
    def headers(self) -> dict[str, str]:
        return {
            hdrs.ACCEPT_RANGES: "bytes",
            hdrs.CACHE_CONTROL: "public, max-age=0",
            hdrs.ETAG: self.etag,
            hdrs.LAST_MODIFIED: http_date(self.modified),
        }

    def read(self, start: int, size: int) -> bytes:
        return os.pread(self.descriptor, size, start)

    def cached(self) -> bytearray | None:
        """Return the whole file if the system has it in memory; None where reading may block.

        A thread costs a quarter of the time of a 400 kB image. macOS cannot say what it has.
        """
        content = bytearray(self.size)
        try:
            size = os.preadv(self.descriptor, [content], 0, os.RWF_NOWAIT)
        except (AttributeError, OSError):
            return None
        return content if size == self.size else None

    def fits(self, side: int) -> bool:
        """Whether no side has more than `side` pixels; False for a file that is not a PNG."""
        try:
            return max(png.size(self.read)) <= side
        except png.BrokenPngError:
            return False


async def send_image(
    request: web.Request, path: Path, side: int | None = None
) -> web.StreamResponse:
    """Send the PNG at `path`, or the range of it that the request asks for.

    With `side`, a larger image is replaced by one whose longer side has that many pixels.
    """
    with _open(path) as image:
        shrunk = None if side is None or image.fits(side) else side
        shown = image if shrunk is None else replace(image, etag=f'{image.etag[:-1]}-{shrunk:x}"')
        settled = _condition(request, shown)
        if settled is not None:
            return settled  # before anything is decoded
        if shrunk is not None:
            thumbnails = request.app[THUMBNAILS]
            content = await thumbnails.of(image.descriptor, image.identity, shrunk)
            shown = replace(shown, content=content, size=len(content))
        return await _send_part(request, shown)


def _condition(request: web.Request, image: _Image) -> web.Response | None:
    """Return the answer to a client that has the image; raises `PreconditionFailedError`."""
    if is_precondition_failed(request.headers, image.etag, image.modified):
        raise PreconditionFailedError
    if is_fresh(request.headers, image.etag, image.modified):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=image.headers)
    return None


async def _send_part(request: web.Request, image: _Image) -> web.StreamResponse:
    try:
        part = requested_range(request.headers, image.size, image.etag, image.modified)
    except UnsatisfiableRangeError:
        return _unsatisfiable(image)
    headers = image.headers | {hdrs.CONTENT_TYPE: "image/png"}
    if part is None:
        return await _send(request, image, Range(0, image.size - 1), HTTPStatus.OK, headers)
    headers[hdrs.CONTENT_RANGE] = f"bytes {part.start}-{part.end}/{image.size}"
    return await _send(request, image, part, HTTPStatus.PARTIAL_CONTENT, headers)


async def _send(
    request: web.Request, image: _Image, part: Range, status: HTTPStatus, headers: dict[str, str]
) -> web.StreamResponse:
    length = part.end - part.start + 1
    if request.method == hdrs.METH_HEAD:
        headers[hdrs.CONTENT_LENGTH] = str(length)
        return web.Response(status=status, headers=headers)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    if image.content is not None or image.size <= _WHOLE:
        content = image.content or image.cached()
        if content is None:
            content = await asyncio.to_thread(image.read, 0, image.size)
        await response.prepare(request)
        with suppress(ConnectionError):  # a client may leave in mid-image
            await _write(response, memoryview(content)[part.start : part.end + 1])
            await response.write_eof()
        return response
    await response.prepare(request)
    with suppress(ConnectionError):
        for start in range(part.start, part.end + 1, _CHUNK):
            size = min(_CHUNK, part.end + 1 - start)
            await _write(response, memoryview(await asyncio.to_thread(image.read, start, size)))
        await response.write_eof()
    return response


async def _write(response: web.StreamResponse, data: memoryview) -> None:
    for start in range(0, len(data), _SLICE):
        await response.write(data[start : start + _SLICE])


def _unsatisfiable(image: _Image) -> web.Response:
    response = request_error_response(RangeNotSatisfiableError())
    response.headers[hdrs.CONTENT_RANGE] = f"bytes */{image.size}"
    return response


@contextmanager
def _open(path: Path) -> Iterator[_Image]:
    """Open a regular file that is reached through no symbolic link of its own."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            raise  # it may be there
        raise NotFoundError from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotFoundError
        yield _Image(
            descriptor,
            status.st_size,
            file_etag(status.st_size, status.st_mtime_ns),
            status.st_mtime_ns // 1_000_000_000,
            (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns),
        )
    finally:
        os.close(descriptor)
