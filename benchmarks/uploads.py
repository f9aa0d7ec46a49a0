"""Requests with pictures."""

import io
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from benchmarks.client import Request
from sdrest import pictures
from sdrest.job_types import JobType

Size = tuple[int, int]
"""Width and height in pixels."""

SIZE: Size = (256, 256)
"""The least that the fork's scripts take."""

_NO_LIMIT = 1 << 30


def request(job_type: JobType, values: Mapping[str, Any], size: Size = SIZE) -> Request:
    """Return the request of a job, as a form with the pictures that its type needs."""
    boundary = uuid.uuid4().hex
    parts = [*_fields(values), *_files(job_type, size)]
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return Request(
        f"/{job_type}",
        body + b"--%b--\r\n" % boundary.encode(),
        kind=f"multipart/form-data; boundary={boundary}",
    )


def write(job_type: JobType, folder: Path, size: Size = SIZE) -> dict[str, Path]:
    """Write the pictures of a job into `folder` as the server prepares them, by their names."""
    sent = folder / "sent"
    ready = folder / "ready"
    sent.mkdir()
    ready.mkdir()
    for name in job_type.uploads:
        (sent / name).write_bytes(_png(name, size))
    if not job_type.uploads:
        return {}
    pictures.prepare({name: sent / name for name in job_type.uploads}, ready, max_pixels=_NO_LIMIT)
    return {name: ready / f"{name}.png" for name in job_type.uploads}


def _fields(values: Mapping[str, Any]) -> Iterable[bytes]:
    for name, value in values.items():
        yield f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()


def _files(job_type: JobType, size: Size) -> Iterable[bytes]:
    for name in job_type.uploads:
        head = (
            f'Content-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        yield head.encode() + _png(name, size)


def _png(name: str, size: Size) -> bytes:
    """Return a picture: a hill below the sky, or the mask of an ellipse."""
    width, height = size
    if name == "mask":
        picture = Image.new("L", size)
        box = (width * 5 // 16, height * 5 // 16, width * 11 // 16, height * 11 // 16)
        ImageDraw.Draw(picture).ellipse(box, fill=255)
    else:
        picture = Image.new("RGB", size, (120, 170, 230))
        box = (-width // 4, height // 2, width * 5 // 4, height * 3 // 2)
        ImageDraw.Draw(picture).ellipse(box, fill=(60, 110, 50))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
