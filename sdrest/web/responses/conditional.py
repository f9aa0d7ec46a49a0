"""Conditional requests and ranges, decided as express and its `send` decide them. Pure.

Times are whole seconds since the epoch; `headers` are those of the request.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime

_NO_CACHE = re.compile(r"(?:^|,)\s*?no-cache\s*?(?:,|$)")
_LEADING_INTEGER = re.compile(r"\s*\+?([0-9]+)")


@dataclass(frozen=True, slots=True)
class Range:
    """The bytes from `start` to `end`, both included."""

    start: int
    end: int


class UnsatisfiableRangeError(Exception):
    """None of the requested ranges is inside the file."""


def body_etag(body: bytes) -> str:
    """Return the weak validator that the original computes for an answer (npm's `etag`)."""
    digest = hashlib.sha1(body, usedforsecurity=False).digest()
    return f'W/"{len(body):x}-{base64.b64encode(digest)[:27].decode()}"'


def file_etag(size: int, modified_ns: int) -> str:
    """Return the weak validator that the original computes for a file."""
    return f'W/"{size:x}-{modified_ns // 1_000_000:x}"'


def http_date(seconds: int) -> str:
    """Return a time as headers have it."""
    return formatdate(seconds, usegmt=True)


def is_fresh(headers: Mapping[str, str], etag: str, modified: int | None = None) -> bool:
    """Whether the client's copy is the current one, so that 304 is the answer (npm's `fresh`)."""
    none_match = headers.get("If-None-Match")
    since = headers.get("If-Modified-Since")
    if not none_match and not since:
        return False
    if _NO_CACHE.search(headers.get("Cache-Control", "")):
        return False
    if none_match and none_match != "*" and not _names(none_match, etag):
        return False
    return not since or _not_modified_since(since, modified)


def is_precondition_failed(headers: Mapping[str, str], etag: str, modified: int) -> bool:
    """Whether If-Match or If-Unmodified-Since is not fulfilled, so that 412 is the answer."""
    match = headers.get("If-Match")
    if match:
        return match != "*" and not _names(match, etag)
    unmodified = _seconds(headers.get("If-Unmodified-Since", ""))
    return unmodified is not None and modified > unmodified


def requested_range(
    headers: Mapping[str, str], size: int, etag: str, modified: int
) -> Range | None:
    """Return the one range that is asked for; None: the whole file, which stands for several too.

    Raises `UnsatisfiableRangeError`.
    """
    asked = headers.get("Range", "").lstrip(" ")
    if not asked.startswith("bytes="):
        return None
    ranges = list(_combined(_ranges(asked.removeprefix("bytes="), size)))
    if not _is_range_fresh(headers.get("If-Range"), etag, modified):
        return None
    if not ranges:
        raise UnsatisfiableRangeError
    return ranges[0] if len(ranges) == 1 else None


def _names(header: str, etag: str) -> bool:
    """Whether a list of validators holds `etag`, weak or strong."""
    opaque = etag.removeprefix("W/")
    return any(item.strip(" ").removeprefix("W/") == opaque for item in header.split(","))


def _not_modified_since(header: str, modified: int | None) -> bool:
    since = _seconds(header)
    return since is not None and modified is not None and modified <= since


def _seconds(header: str) -> int | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp())


def _is_range_fresh(header: str | None, etag: str, modified: int) -> bool:
    if not header:
        return True
    return etag in header if '"' in header else _not_modified_since(header, modified)


def _ranges(text: str, size: int) -> Iterator[Range]:
    """Read ranges as npm's `range-parser` does: ranges outside the file are ignored."""
    for item in text.split(","):
        first, _, last = item.partition("-")
        start, end = _integer(first), _integer(last)
        if start is None and end is not None:
            start, end = size - end, size - 1
        elif end is None:
            end = size - 1
        end = min(end, size - 1)
        if start is not None and 0 <= start <= end:
            yield Range(start, end)


def _integer(text: str) -> int | None:
    match = _LEADING_INTEGER.match(text)
    return int(match[1][:20]) if match else None


def _combined(ranges: Iterable[Range]) -> Iterator[Range]:
    """Join ranges that overlap or touch."""
    current: Range | None = None
    for item in sorted(ranges, key=lambda item: item.start):
        if current is not None and item.start <= current.end + 1:
            current = Range(current.start, max(current.end, item.end))
            continue
        if current is not None:
            yield current
        current = item
    if current is not None:
        yield current
