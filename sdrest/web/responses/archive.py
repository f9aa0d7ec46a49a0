"""Images as one zip file, which is written while it is sent.

The files are stored, since PNGs are compressed already. One image at a time is in memory.
"""

import asyncio
import io
import os
import re
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from sdrest.jobs.model import Job

MISSING = "missing.txt"
"""The file that names the images that could not be read."""

_SLICE = 128 * 1024
_MAX_WORDS = 48
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Source:
    """An image: its address, and its job, number and file, or why it is missing."""

    url: str
    job: Job | None = None
    number: int = 0
    path: Path = Path()
    problem: str = ""


def file_name(job: Job, number: int) -> str:
    """Return a name with words of the prompt, seed and number; as `fileName` of the page."""
    words = _NO_WORD.sub("-", (job.params.get("prompt") or job.key.type).lower())
    parts = words[:_MAX_WORDS].strip("-"), job.seed, number
    return "-".join(str(part) for part in parts if part != "") + ".png"


async def send_archive(request: web.Request, sources: AsyncIterator[Source]) -> web.StreamResponse:
    """Send a zip file with `sources`; those that cannot be read are named in `missing.txt`."""
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "application/zip",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{_archive_name()}"',
            hdrs.CACHE_CONTROL: "no-store",
        }
    )
    await response.prepare(request)
    with suppress(ConnectionError):  # a client may leave at any time
        await _write(response, sources)
        await response.write_eof()
    return response


async def _write(response: web.StreamResponse, sources: AsyncIterator[Source]) -> None:
    window = _Window()
    names: dict[str, int] = {}
    missing = []
    with zipfile.ZipFile(window, "w") as archive:
        async for source in sources:
            problem = source.problem
            if source.job is not None:
                name = _unique(file_name(source.job, source.number), names)
                try:
                    await asyncio.to_thread(_add, archive, name, source)
                except OSError as error:
                    problem = os.strerror(error.errno) if error.errno else "It cannot be read."
            if problem:
                missing.append(f"{source.url}: {problem}")
            await _send(response, window.take())
        if missing:
            archive.writestr(MISSING, "\n".join([*missing, ""]))
    await _send(response, window.take())


def _add(archive: zipfile.ZipFile, name: str, source: Source) -> None:
    """Read an image and add it, with the time at which its job ended."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(source.path, flags), "rb") as file:
        content = file.read()
        written = time.localtime(max(os.fstat(file.fileno()).st_mtime, _FIRST_TIME))
    archive.writestr(zipfile.ZipInfo(name, written[:6]), content)


_FIRST_TIME = 315_619_200.0
"""2 January 1980: zip files know no earlier time."""


async def _send(response: web.StreamResponse, data: bytes) -> None:
    for start in range(0, len(data), _SLICE):
        await response.write(data[start : start + _SLICE])


def _unique(name: str, names: dict[str, int]) -> str:
    """Return the name, with a number if an earlier file has it."""
    names[name] = count = names.get(name, 0) + 1
    if count == 1:
        return name
    return _unique(f"{name.removesuffix('.png')}-{count}.png", names)


def _archive_name() -> str:
    return time.strftime("pictures-%Y-%m-%d-%H%M%S.zip")


class _Window(io.RawIOBase):
    """The end of a file that is written: what `take` has returned is forgotten.

    A zip entry's head is written again once its checksum is known, so its beginning stays until the
    entry is complete.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start = 0
        self._content = io.BytesIO()

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = self._content.getvalue()
        self._start += len(data)
        self._content = io.BytesIO()
        return data

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._start + self._content.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            offset -= self._start
        return self._start + self._content.seek(offset, whence)

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        return self._content.write(data)
