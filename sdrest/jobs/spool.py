"""Uploads of a request on their way in: one folder for each request, removed with its end."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from sdrest.jobs.folders import Folders
from sdrest.jobs.space import storage_error

_BLOCK = 512 * 1024
"""Bytes that are hashed and written at once, off the event loop."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client sent, and the SHA-256 of its content (hex)."""

    path: Path
    sha256: str


class Spool:
    """The folder of one request in the spool, made when it is first needed.

    Leaving the context removes the folder with its files.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._folder: Path | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            # not awaited alone: a cancelled request removes its files too
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, self._folder, True))  # noqa: FBT003

    def folder(self, name: str) -> Path:
        """Return a new folder in this request's one."""
        try:
            if self._folder is None:
                self._folder = self._folders.spool_folder()
            folder = self._folder / name
            folder.mkdir()
        except OSError as error:
            raise storage_error(error) from error
        return folder

    def _begin(self, path: Path, block: bytes, digest: _Digest) -> None:
        """Write the first block of a file, in its folder or in a new one of that name."""
        if not path.parent.is_dir():
            try:
                self._folders.create_inside()
                path.parent.mkdir(parents=True)
            except OSError as error:
                raise storage_error(error) from error
        _append(path, block, digest)

    async def receive(self, name: str, chunks: AsyncIterable[bytes]) -> Upload:
        """Write a file as it comes in; raises what `chunks` raises."""
        path = self.folder(f"upload-{name}") / "file"
        digest = hashlib.sha256()
        buffer = bytearray()
        append = self._begin
        async for chunk in chunks:
            buffer += chunk
            if len(buffer) >= _BLOCK:
                await asyncio.to_thread(append, path, bytes(buffer), digest)
                append = _append
                buffer.clear()
        await asyncio.to_thread(append, path, bytes(buffer), digest)
        return Upload(path, digest.hexdigest())


def _append(path: Path, block: bytes, digest: _Digest) -> None:
    digest.update(block)
    try:
        with path.open("ab") as file:
            file.write(block)
    except OSError as error:
        raise storage_error(error) from error
