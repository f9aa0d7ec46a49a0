"""Colour profiles and chunks, for the tests of colours."""

from pathlib import Path

from PIL import Image

from sdrest import pictures
from sdrest.pictures import icc

P3 = icc.profile(icc.DISPLAY_P3, icc.SRGB_CURVE) or b""


ADOBE_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)


SRGB = icc.profile(icc.SRGB, icc.SRGB_CURVE) or b""


RED = (200, 60, 60)


def prepared(folder: Path, content: bytes) -> Image.Image:
    (folder / "upload").write_bytes(content)
    pictures.prepare({"image": folder / "upload"}, folder, max_pixels=1 << 24)
    with Image.open(folder / "image.png") as picture:
        picture.load()
        return picture


def colour(picture: Image.Image) -> tuple[int, ...]:
    found = picture.getpixel((1, 1))
    assert isinstance(found, tuple)
    return found


def near(one: tuple[int, ...], other: tuple[int, ...], most: int = 1) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= most
