"""Download or copy large files: resumable, checked, and renamed to their place when complete.

`TARGET.part` has the bytes so far. `TARGET.part.json` has their origin, so that parts of two files
are never combined.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import hdrs

from sdrest.commands.setup.step import StepError
from sdrest.paths import expand

_BLOCK = 1 << 20
_ATTEMPTS = 4
"""Consecutive attempts without progress until the download fails."""

_PAUSE = 0.5
"""Seconds before the next attempt, times the number of attempts without progress."""

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_ROOM = 64 * 1000**2
"""Bytes that stay free on the disk."""

Report = Callable[[int, int | None], None]
"""Called with the number of bytes so far and in all, if known."""


class _InterruptedError(Exception):
    """The connection broke; another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """The origin of a partial file. Without a validator it cannot be resumed."""

    url: str
    validator: str
    total: int | None


def part_of(target: Path) -> Path:
    """Return the path of the partial file."""
    return target.with_name(f"{target.name}.part")


def fetch(source: str, target: Path, report: Report, *, sha256: str = "") -> Path:
    """Fetch `source` (http(s) URL, file URL or path) to `part_of(target)` and return that path.

    Raises `StepError` for a missing source, a web page, a wrong size or a wrong SHA-256; the last
    removes the part. The next call resumes an interrupted transfer.
    """
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    path = local_path(source)
    if path is None:
        asyncio.run(_download(source, part, report))
    else:
        _copy(path, part, report)
    if sha256 and (found := _sha256(part)) != sha256.lower():
        discard(target)
        raise StepError(
            f"{source} is not the expected file: its SHA-256 is {found}, not {sha256.lower()}."
        )
    return part


def discard(target: Path) -> None:
    """Remove the partial file and its note."""
    part_of(target).unlink(missing_ok=True)
    _note_of(part_of(target)).unlink(missing_ok=True)


def local_path(source: str) -> Path | None:
    """Return the path of a source; None for an http(s) URL."""
    parts = urlsplit(source)
    if parts.scheme in {"http", "https"}:
        return None
    return expand(unquote(parts.path) if parts.scheme == "file" else source)


def _copy(source: Path, part: Path, report: Report) -> None:
    try:
        total = source.stat().st_size
        make_room(part, total)
        with source.open("rb") as reader, part.open("wb") as writer:
            while block := reader.read(_BLOCK):
                writer.write(block)
                report(writer.tell(), total)
    except OSError as error:
        raise StepError(f"Cannot copy {source}: {error.strerror}.") from error


async def _download(url: str, part: Path, report: Report) -> None:
    """Try until the file is complete or `_ATTEMPTS` in a row bring nothing."""
    fruitless = 0
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
        while True:
            had = _length(part)
            try:
                return await _receive(session, url, part, report)
            except (aiohttp.ClientError, TimeoutError, _InterruptedError) as error:
                fruitless = 0 if _length(part) > had else fruitless + 1
                if fruitless == _ATTEMPTS:
                    reason = str(error) or "no answer"
                    raise StepError(
                        f"Cannot download {url}: {reason}. Run again to go on, or name another "
                        "source."
                    ) from error
            await asyncio.sleep(_PAUSE * fruitless)


async def _receive(session: aiohttp.ClientSession, url: str, part: Path, report: Report) -> None:
    """Request the missing bytes, or all if the file may have changed."""
    had, origin = _length(part), _read_note(part)
    if origin is None or origin.url != url or not origin.validator:
        had = 0
    elif had == origin.total:
        return
    headers = {hdrs.ACCEPT_ENCODING: "identity"}
    if had and origin:
        headers |= {hdrs.RANGE: f"bytes={had}-", hdrs.IF_RANGE: origin.validator}
    async with session.get(url, headers=headers) as answer:
        _check(answer, url, part)
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            had = 0
        total = None if answer.content_length is None else had + answer.content_length
        if not had:
            _begin(part, _Origin(url, _validator(answer), total))
        make_room(part, (total or 0) - had)
        await _append(answer, part, report, total=total)
    if total is not None and _length(part) != total:
        raise _InterruptedError(f"{_length(part)} of {total} bytes arrived")


def _check(answer: aiohttp.ClientResponse, url: str, part: Path) -> None:
    status = answer.status
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.unlink(missing_ok=True)
        raise _InterruptedError("the server refused to resume the partial file")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise _InterruptedError(f"the answer was {status}")
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        raise StepError(f"Cannot download {url}: the answer was {status}.")
    if answer.content_type == "text/html":
        raise StepError(f"{url} is a web page, not the file. Name another source.")


def _begin(part: Path, origin: _Origin) -> None:
    part.unlink(missing_ok=True)
    note = json.dumps(asdict(origin))
    _note_of(part).write_text(note, encoding="utf-8")


async def _append(
    answer: aiohttp.ClientResponse, part: Path, report: Report, *, total: int | None
) -> None:
    with part.open("ab") as file:
        async for block in answer.content.iter_chunked(_BLOCK):
            file.write(block)
            report(file.tell(), total)


def _validator(answer: aiohttp.ClientResponse) -> str:
    """Return the strong ETag or the date that identifies this version of the file."""
    etag = answer.headers.get(hdrs.ETAG, "")
    if etag and not etag.startswith("W/"):
        return etag
    return answer.headers.get(hdrs.LAST_MODIFIED, "")


def make_room(part: Path, wanted: int) -> None:
    """Raise `StepError` unless the disk of `part` has room for `wanted` more bytes."""
    free = shutil.disk_usage(part.parent).free
    if free < wanted + _ROOM:
        raise StepError(
            f"The disk of {part.parent} has {free / 1e9:.1f} GB free and "
            f"{(wanted + _ROOM) / 1e9:.1f} GB are needed. Make room; run again."
        )


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path) -> _Origin | None:
    try:
        return _Origin(**json.loads(_note_of(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
