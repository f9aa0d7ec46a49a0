"""Multipart forms with pictures."""

import io

import aiohttp
from PIL import Image


def png(size: tuple[int, int] = (64, 64), colour: str = "navy") -> bytes:
    """Return a PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def form(fields: dict[str, str], **files: bytes) -> aiohttp.FormData:
    """Return a multipart form; each file is an upload named after its field."""
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        data.add_field(name, value)
    for name, content in files.items():
        data.add_field(name, io.BytesIO(content), filename=f"{name}.png", content_type="image/png")
    return data
