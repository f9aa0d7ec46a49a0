"""Requests for the status of a job, and its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.web import Served, served

ID = "14d6c94308495632b5d31fad8939fc87"
"""The job of the recorded exchanges: two images."""


async def answer(site: Served, method: str, path: str, **headers: str) -> tuple[int, Any, bytes]:
    options: Any = {"headers": headers, "allow_redirects": False}
    async with site.client.request(method, path, **options) as response:
        return response.status, response.headers, await response.read()


@asynccontextmanager
async def served_with_images(folder: Path) -> AsyncIterator[Served]:
    """A server whose output folder has the two images of the job `ID`, without a row."""
    images = folder / "output" / "text-to-image" / ID
    images.mkdir(parents=True)
    for number in (1, 2):
        Image.effect_noise((300, 300), 90).save(images / f"{number}.png", "PNG")
    async with served(folder) as site:
        yield site
