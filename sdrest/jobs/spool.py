"""Uploads of a request on their way in: one folder for each request, removed with its end."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sdrest.jobs.folders import Folders
from sdrest.jobs.space import storage_error

_BLOCK = 512 * 1024
"""Bytes that are hashed and written at once, off the event loop."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client sent, and the SHA-256 of its content (hex)."""

    path: Path
    sha256: str


class Spool:
    """The folder of one request in the spool, made with its first file.

    Leaving the context removes the folder with its files.
    """

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._folder: Path | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._folder is not None:
            # shielded: a cancelled request removes its files too
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, self._folder, True))  # noqa: FBT003

    async def receive(self, name: str, chunks: AsyncIterable[bytes]) -> Upload:
        """Write a file as it arrives; raises what `chunks` raises, `StorageUnavailableError`."""
        path: Path | None = None
        digest = hashlib.sha256()
        buffer = bytearray()
        async for chunk in chunks:
            buffer += chunk
            if len(buffer) >= _BLOCK:
                path = path or self._new(name)
                await asyncio.to_thread(_append, path, bytes(buffer), digest.update)
                buffer.clear()
        path = path or self._new(name)
        await asyncio.to_thread(_append, path, bytes(buffer), digest.update)
        return Upload(path, digest.hexdigest())

    def _new(self, name: str) -> Path:
        """Return the path of a new file, in a new folder if a user has removed the other one."""
        try:
            if self._folder is None or not self._folder.is_dir():
                self._folder = self._folders.spool_folder()
        except OSError as error:
            raise storage_error(error) from error
        return self._folder / name


def _append(path: Path, block: bytes, hashed: Callable[[bytes], None]) -> None:
    hashed(block)
    try:
        with path.open("ab") as file:
            file.write(block)
    except OSError as error:
        raise storage_error(error) from error
