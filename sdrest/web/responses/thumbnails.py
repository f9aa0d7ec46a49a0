"""Small versions of images: made few at a time, once for all who ask meanwhile, and kept."""

import asyncio
import os
from contextlib import suppress

from aiohttp import web
from cachetools import LRUCache

from sdrest import pictures
from sdrest.errors import FieldError, InvalidRequestError

SMALLEST, LARGEST = 16, 1024
"""Pixels that the longer side of a thumbnail may have at most."""

_KEPT = 16 * 2**20
"""Most bytes of thumbnails that are kept in memory; one of 256 pixels takes 30 to 150 kB."""

_Key = tuple[int, ...]


def requested_side(request: web.Request) -> int | None:
    """Return the query's `size`; None where the whole image is asked for."""
    text = request.query.get("size")
    if text is None:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))
    if not (is_number and SMALLEST <= int(text) <= LARGEST):
        message = f"Should be a whole number of pixels from {SMALLEST} to {LARGEST}."
        raise InvalidRequestError([FieldError("size", message)])
    return int(text)


class Thumbnails:
    """Makes thumbnails. `decoders` bounds how many at once, together with what else decodes."""

    def __init__(self, decoders: asyncio.Semaphore, *, max_pixels: int) -> None:
        self._decoders = decoders
        self._max_pixels = max_pixels
        self._kept: LRUCache[_Key, bytes] = LRUCache(_KEPT, getsizeof=len)
        self._making: dict[_Key, asyncio.Task[bytes]] = {}

    async def of(self, descriptor: int, identity: _Key, side: int) -> bytes:
        """Return the PNG of an open image whose longer side has at most `side` pixels.

        `identity` is what differs for other bytes. Raises `InvalidRequestError` for an image that
        cannot be decoded.
        """
        key = (*identity, side)
        made = self._kept.get(key)
        if made is not None:
            return made
        if key not in self._making:
            # A descriptor of its own: the first client may leave before it is done.
            task = asyncio.create_task(self._make(os.dup(descriptor), side))
            task.add_done_callback(lambda done: self._keep(key, done))
            self._making[key] = task
        try:
            return await asyncio.shield(self._making[key])
        except pictures.PictureError as error:
            raise InvalidRequestError([FieldError("size", error.message)]) from error

    async def _make(self, descriptor: int, side: int) -> bytes:
        with os.fdopen(descriptor, "rb") as source:
            async with self._decoders:
                return await asyncio.to_thread(
                    pictures.thumbnail, source, side, max_pixels=self._max_pixels
                )

    def _keep(self, key: _Key, task: "asyncio.Task[bytes]") -> None:
        del self._making[key]
        if not task.cancelled() and task.exception() is None:
            with suppress(ValueError):  # larger than all that is kept
                self._kept[key] = task.result()


THUMBNAILS = web.AppKey("thumbnails", Thumbnails)
