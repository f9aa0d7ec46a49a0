"""Pictures as files, for the tests of sdrest/pictures."""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageChops

from sdrest import pictures

MAX_PIXELS = 4096 * 4096


def gradient(size: tuple[int, int] = (96, 64)) -> Image.Image:
    ramp = Image.linear_gradient("L")
    turned = ramp.rotate(90)
    return Image.merge("RGB", (ramp, turned, ImageChops.invert(ramp))).resize(size)


def furthest(one: Image.Image, other: Image.Image) -> int:
    """How far apart two pictures' pixels are at most."""
    return max(ImageChops.difference(one, other).tobytes())


def encoded(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def uploaded(folder: Path, *, max_pixels: int = MAX_PIXELS, **uploads: bytes) -> Path:
    """Prepare uploads as a job's are; return the folder with their PNGs."""
    for name, content in uploads.items():
        (folder / f"{name}.upload").write_bytes(content)
    paths = {name: folder / f"{name}.upload" for name in uploads}
    pictures.prepare(paths, folder, max_pixels=max_pixels)
    return folder
