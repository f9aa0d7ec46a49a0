"""Thumbnails are made once for all who ask meanwhile, and few at a time."""

import asyncio
import os
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from sdrest.errors import InvalidRequestError
from sdrest.web.responses.thumbnails import Thumbnails

SECONDS = 10.0


class Counter(asyncio.Semaphore):
    """Permits to decode, counted."""

    def __init__(self) -> None:
        super().__init__(1)
        self.taken = 0
        self.wanted_again = asyncio.Event()

    async def acquire(self) -> Literal[True]:
        self.taken += 1
        if self.taken > 1:
            self.wanted_again.set()
        return await super().acquire()


class Gallery:
    """Thumbnails of two images in a folder."""

    def __init__(self, folder: Path) -> None:
        self.decoders = Counter()
        self.thumbnails = Thumbnails(self.decoders, max_pixels=65536)
        self.paths = [folder / "1.png", folder / "2.png"]
        for path in self.paths:
            Image.effect_noise((300, 200), 90).save(path)

    async def of(self, index: int, side: int = 64) -> bytes:
        descriptor = os.open(self.paths[index], os.O_RDONLY)
        try:
            return await self.thumbnails.of(descriptor, (index,), side)
        finally:
            os.close(descriptor)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


async def test_concurrent_and_later_requests_share_a_thumbnail(gallery: Gallery) -> None:
    async with asyncio.timeout(SECONDS):
        made = await asyncio.gather(*(gallery.of(0) for _ in range(50)))
        made.append(await gallery.of(0))
    assert len(set(map(id, made))) == 1
    assert gallery.decoders.taken == 1


async def test_other_images_and_other_sizes_are_made_for_themselves(gallery: Gallery) -> None:
    async with asyncio.timeout(SECONDS):
        made = await asyncio.gather(gallery.of(0), gallery.of(1), gallery.of(0, 32))
    assert len(set(made)) == 3
    assert gallery.decoders.taken == 3


async def test_nothing_is_decoded_without_a_permit(gallery: Gallery) -> None:
    await gallery.decoders.acquire()
    waiting = asyncio.create_task(gallery.of(0))
    await gallery.decoders.wanted_again.wait()
    gallery.paths[0].write_bytes(b"")  # what is decoded already would not notice
    gallery.decoders.release()
    async with asyncio.timeout(SECONDS):
        with pytest.raises(InvalidRequestError):
            await waiting


async def test_the_first_client_may_disconnect(gallery: Gallery) -> None:
    await gallery.decoders.acquire()
    first, second = (asyncio.create_task(gallery.of(0)) for _ in range(2))
    await gallery.decoders.wanted_again.wait()
    first.cancel()
    await asyncio.wait([first])
    gallery.decoders.release()
    async with asyncio.timeout(SECONDS):
        assert await second == await gallery.of(0)


async def test_a_damaged_image_is_said_to_everybody(gallery: Gallery) -> None:
    gallery.paths[0].write_bytes(gallery.paths[0].read_bytes()[:-200])
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(*(gallery.of(0) for _ in range(3)), return_exceptions=True)
    for answer in answers:
        assert isinstance(answer, InvalidRequestError)
        assert answer.fields[0].field == "size"
