"""Thumbnails of images."""

import io
import struct

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdrest import pictures
from tests.support.pictures import MAX_PIXELS, encoded, furthest, gradient, png


def small(content: bytes, side: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    made = pictures.thumbnail(io.BytesIO(content), side, max_pixels=max_pixels)
    with Image.open(io.BytesIO(made), formats=("PNG",)) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((300, 200), 150, (150, 100)),
        ((200, 300), 16, (11, 16)),
        ((300, 200), 300, (300, 200)),
        ((300, 200), 1024, (300, 200)),
        ((2000, 1), 16, (16, 1)),
    ],
)
def test_thumbnails_fit_and_are_never_larger(
    size: tuple[int, int], side: int, expected: tuple[int, int]
) -> None:
    made = small(encoded(gradient(size)), side)
    assert (made.size, made.mode) == (expected, "RGB")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "RGB", "RGBA"])
def test_thumbnails_of_every_kind_of_png(mode: str) -> None:
    grey = gradient((128, 128)).convert("L")
    if mode == "I;16":
        ramp = struct.pack("<16384H", *(value * 257 for value in grey.tobytes()))
        source = Image.frombytes(mode, grey.size, ramp)
    else:
        source = grey.convert(mode)
    made = small(encoded(source), 64)
    assert made.size == (64, 64)
    assert made.mode == ("L" if mode in {"1", "L", "I;16"} else "RGB")
    if mode != "1":  # dithered
        assert furthest(made, gradient((64, 64)).convert("L").convert(made.mode)) <= 8


def test_thumbnails_are_pixels_alone() -> None:
    text = PngInfo()
    text.add_text("parameters", "a fox")
    assert small(encoded(gradient(), pnginfo=text), 32).info == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        encoded(gradient())[:-300],
        encoded(gradient(), "JPEG"),
        png(100, 100, (b"IDAT", b"not compressed"), (b"IEND", b"")),
        png(20_000, 20_000, (b"IDAT", b""), (b"IEND", b"")),
        png(5000, 5000, (b"IDAT", b""), (b"IEND", b"")),
    ],
)
def test_no_thumbnails_of_broken_or_huge_pngs(content: bytes) -> None:
    with pytest.raises(pictures.PictureError):
        small(content, 64)


def test_the_limit_of_uploads_is_none_for_images_of_prompts() -> None:
    assert small(encoded(gradient((600, 600))), 64, max_pixels=65536).size == (64, 64)
