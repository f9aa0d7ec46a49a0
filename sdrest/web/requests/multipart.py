"""A multipart body, read part by part: text into fields, files into the spool.

What counts as a file, how names and texts are decoded and how names nest is what npm's `multer`
and `busboy` do, since it decides a job's id. Nothing here grows without a limit.
"""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from sdrest.errors import (
    FieldError,
    MalformedRequestError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from sdrest.jobs.spool import Spool, Upload
from sdrest.web.requests.fields import Fields
from sdrest.web.requests.nesting import append_field, fill_holes

MAX_FIELD = 1024 * 1024 - 1
"""Most bytes of a text field; busboy counts a field of 1 MiB as cut off."""

MAX_TEXT = 2 * 1024 * 1024
"""Most bytes of all text fields together."""

MAX_PARTS = 1000
"""Most parts of a body, as many as an urlencoded one may have."""

_MEBIBYTE = 1024 * 1024
_CHUNK = 256 * 1024
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
    "ascii": "latin-1",
    "us-ascii": "latin-1",
    "utf-16le": "utf-16-le",
    "utf16le": "utf-16-le",
}
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # noqa: S105 (a word of RFC 9110)
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*({_TOKEN}+)=(?:\"((?:[^\"\\]|\\.)*)\"|({_TOKEN}+))")
_DISPOSITION = re.compile(rf"(?i:form-data)((?:{_PARAMETER.pattern})*)[ \t]*")
_FORM_DATA = re.compile("form-data", re.IGNORECASE)
_BOUNDARY = re.compile(r";\s*boundary=\"?[^\"]", re.IGNORECASE)
_ESCAPED = re.compile(r'\\([\\"])')


@dataclass(slots=True)
class Form:
    """What a body brought: fields, the files that were expected, what is wrong with the others."""

    fields: Fields = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)


def max_body(uploads: Collection[str], max_upload: int) -> int:
    """Return the most bytes of a whole body with these files of at most `max_upload` MiB each."""
    return len(uploads) * max_upload * _MEBIBYTE + MAX_TEXT


async def read_multipart(
    request: web.Request, expected: Collection[str], spool: Spool, *, max_upload: int
) -> Form:
    """Read a whole body. `expected` are the names of files, each of at most `max_upload` MiB."""
    reader = _Reader(expected, spool, max_upload * _MEBIBYTE)
    try:
        await reader.read(_open(request))
    except (ValueError, RuntimeError, LookupError, AssertionError, HttpProcessingError) as error:
        raise MalformedRequestError("The multipart body is malformed or incomplete.") from error
    return reader.result()


def _open(request: web.Request) -> MultipartReader:
    if not _BOUNDARY.search(request.headers[hdrs.CONTENT_TYPE]):
        raise MalformedRequestError(
            "The Content-Type has no boundary. Leave that header out: the program that makes the "
            "form knows it."
        )
    # As form-data, aiohttp takes a field `_charset_` for itself and warns of unusual headers.
    content_type = _FORM_DATA.sub("mixed", request.headers[hdrs.CONTENT_TYPE], count=1)
    return _PartsReader({"Content-Type": content_type}, request.content)


class _PartReader(BodyPartReader):
    """A part of a form: it ends with its boundary, whatever length its headers claim."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **(options | {"subtype": "form-data"}))


class _PartsReader(MultipartReader):
    part_reader_cls = _PartReader


class _Reader:
    def __init__(self, expected: Collection[str], spool: Spool, max_upload: int) -> None:
        self._expected = expected
        self._spool = spool
        self._max_upload = max_upload
        self._text_left = MAX_TEXT
        self._made = Form()

    async def read(self, reader: MultipartReader) -> None:
        parts = 0
        while (part := await reader.next()) is not None:
            parts += 1
            if parts > MAX_PARTS:
                raise TooLargeError(f"The body has more than {MAX_PARTS} parts.", limit=MAX_PARTS)
            if not isinstance(part, BodyPartReader):
                raise MalformedRequestError("A part of the body is a multipart body itself.")
            await self._read_part(part)

    def result(self) -> Form:
        self._made.fields = fill_holes(self._made.fields)
        return self._made

    async def _read_part(self, part: BodyPartReader) -> None:
        parameters = _parameters(part.headers)
        if parameters is None:
            await self._skip(part)
            return
        name = parameters.get("name")
        filename = parameters.get("filename*") or parameters.get("filename")
        if filename or (name in self._expected and _content_type(part).startswith("image/")):
            await self._read_file(part, name or "")
        elif _content_type(part) == "application/octet-stream":  # a file input without a file
            await self._skip(part)
        else:
            await self._read_text(part, name)

    async def _read_text(self, part: BodyPartReader, name: str | None) -> None:
        if not name:
            raise MalformedRequestError("A part of the body has no name.")
        charset = _CHARSETS.get(part.get_charset("utf-8").lower())
        if charset is None:
            raise UnsupportedMediaTypeError(f"The field {name} has an unknown charset.")
        content = bytearray()
        async for chunk in _chunks(part, MAX_FIELD):
            content += chunk
        self._text_left -= len(content)
        if self._text_left < 0:
            raise TooLargeError(f"The fields have more than {MAX_TEXT} bytes.", limit=MAX_TEXT)
        append_field(self._made.fields, name, content.decode(charset, errors="replace"))

    async def _read_file(self, part: BodyPartReader, name: str) -> None:
        if name in self._expected and name not in self._made.uploads:
            chunks = _chunks(part, self._max_upload)
            self._made.uploads[name] = await self._spool.receive(name, chunks)
            return
        await self._skip(part)
        again = name in self._made.uploads
        message = "Should come once only." if again else "Should not be a file here."
        self._made.errors.append(FieldError(name, message))

    async def _skip(self, part: BodyPartReader) -> None:
        async for _ in _chunks(part, self._max_upload):
            pass


async def _chunks(part: BodyPartReader, limit: int) -> AsyncIterator[bytes]:
    size = 0
    while chunk := await part.read_chunk(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"A part of the body has more than {limit} bytes.", limit=limit)
        yield chunk


def _parameters(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the parameters of a form-data part; None for any other, which is ignored.

    Names are in Latin-1, as busboy has them by default.
    """
    header = headers.get(hdrs.CONTENT_DISPOSITION, "").encode("utf-8", "surrogateescape")
    match = _DISPOSITION.fullmatch(header.decode("latin-1"))
    if match is None:
        return None
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(match[1]):
        parameters.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or plain)
    return parameters


def _content_type(part: BodyPartReader) -> str:
    return part.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
