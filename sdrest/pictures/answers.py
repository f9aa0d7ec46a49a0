"""Images of jobs in the size and the format that a client asks for."""

import io
import os
from pathlib import Path
from typing import Literal

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from sdrest.paths import open_no_follow
from sdrest.pictures.decoding import Size

Format = Literal["png", "jpeg", "webp"]


def encode(path: Path, kind: Format, *, size: Size, middle: bool, quality: int) -> bytes:
    """Return the image at `path` cut to `size`, in a format; a PNG keeps its texts. May block.

    The middle is cut out if `middle`, else what is above and left. `quality` (0 to 100) is for JPEG
    and WebP. Raises `OSError`, and `ValueError` for a file that is not a PNG.
    """
    with os.fdopen(open_no_follow(path), "rb") as file:
        data = file.read()
    with PngImageFile(io.BytesIO(data)) as picture:
        if kind == "png" and picture.size == size:
            return data
        picture.load()
        texts = dict(picture.text)
        cut = picture.crop(_box(picture.size, size, middle=middle))
    return _write(cut, kind, texts, quality)


def enlarge(data: bytes, kind: Format, *, size: Size, quality: int) -> bytes:
    """Return a small picture (JPEG or PNG) in `size` and another format. May block."""
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
        large = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return _write(large, kind, {}, quality)


def _box(size: Size, wanted: Size, *, middle: bool) -> tuple[int, int, int, int]:
    left, top = ((have - want) // 2 * middle for have, want in zip(size, wanted, strict=True))
    return left, top, left + wanted[0], top + wanted[1]


def _write(picture: Image.Image, kind: Format, texts: dict[str, str], quality: int) -> bytes:
    written = io.BytesIO()
    picture.info.clear()
    if kind == "png":
        info = PngInfo()
        for name, text in texts.items():
            info.add_text(name, text)
        picture.save(written, "PNG", pnginfo=info)
    else:
        picture.convert("RGB").save(written, kind.upper(), quality=max(1, quality))
    return written.getvalue()
