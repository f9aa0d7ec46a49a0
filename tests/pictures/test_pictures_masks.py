"""Masks of every maker: what is repainted, and what is refused because nothing is.

In each case a square is painted, or cut out, in the middle of the mask.
"""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sdrest import pictures
from sdrest.errors import InvalidRequestError
from sdrest.pictures import masks
from sdrest.pictures.masks import MaskKind, MaskStatistics
from tests.support.masks import (
    BLACK,
    BLUE,
    CASES,
    CLEAR,
    GREEN,
    RED,
    SIDE,
    WHITE,
    Colour,
    blurred,
    photo,
    square,
    where,
)


def encoded(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def repainted(folder: Path, mask: bytes, image: Image.Image | None = None) -> Image.Image | None:
    """Return the prepared mask, or None if it was refused since it repaints nothing."""
    (folder / "mask").write_bytes(mask)
    (folder / "image").write_bytes(encoded(image or photo(seed=45)))
    uploads = {"image": folder / "image", "mask": folder / "mask"}
    try:
        pictures.prepare(uploads, folder, max_pixels=1 << 24)
    except InvalidRequestError as error:
        refused = [(field.field, field.message) for field in error.fields]
    else:
        with Image.open(folder / "mask.png") as picture:
            picture.load()
            return picture
    assert refused == [("mask", masks.EMPTY)]
    assert not list(folder.glob("*.png"))
    return None


@pytest.mark.parametrize("case", CASES)
def test_what_a_mask_repaints(tmp_path: Path, case: str) -> None:
    make, expected = CASES[case]

    assert where(repainted(tmp_path, encoded(make()))) == expected


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize(
    ("ground", "ink", "expected"),
    [
        (BLACK, WHITE, "square"),
        (BLACK, RED, "square"),
        (BLACK, BLUE, "square"),
        (WHITE, BLACK, "rest"),
        (BLACK, BLACK, "nothing"),
    ],
)
def test_artefacts_of_jpeg_change_no_mask(
    tmp_path: Path, quality: int, ground: Colour, ink: Colour, expected: str
) -> None:
    mask = encoded(square(ground, ink), "JPEG", quality=quality)

    assert where(repainted(tmp_path, mask)) == expected


@pytest.mark.parametrize(
    "image", [square(RED, GREEN), square(WHITE, BLACK), square(BLACK, WHITE), photo()]
)
@pytest.mark.parametrize("box", [(0, 0, 48, 96), (0, 0, 96, 70), (40, 0, 96, 96)])
def test_a_hole_in_a_copy_of_the_image_is_the_hole(
    tmp_path: Path, image: Image.Image, box: tuple[int, int, int, int]
) -> None:
    copy = image.convert("RGBA")
    copy.paste(CLEAR, box)

    mask = repainted(tmp_path, encoded(copy), image)

    assert mask is not None
    expected = Image.new("L", (SIDE, SIDE))
    expected.paste(255, box)
    assert mask.tobytes() == expected.tobytes()


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA"])
def test_white_on_black_with_soft_edges_is_cut_at_128(
    tmp_path: Path, mode: str, scale: int
) -> None:
    soft = blurred(square(0, 255, "L"))
    image = photo().resize((SIDE * scale, SIDE * scale))

    mask = repainted(tmp_path, encoded(soft.convert(mode)), image)

    resize_to = soft.resize(image.size, Image.Resampling.BILINEAR)
    assert mask is not None
    assert mask.tobytes() == resize_to.point(lambda value: 255 * (value >= 128)).tobytes()


def test_gamma_does_not_move_the_threshold(tmp_path: Path) -> None:
    chunks = PngInfo()
    chunks.add(b"gAMA", (100_000).to_bytes(4, "big"))

    mask = repainted(tmp_path, encoded(square(127, 128, "L"), pnginfo=chunks))

    assert where(mask) == "square"


def test_a_dot_that_the_size_of_the_image_loses_repaints_nothing(tmp_path: Path) -> None:
    dot = Image.new("L", (SIDE * 8, SIDE * 8))
    dot.putpixel((5, 5), 255)

    assert repainted(tmp_path, encoded(dot)) is None


@given(
    st.builds(MaskStatistics, *[st.floats(0, 1)] * 6, st.booleans(), st.booleans(), st.booleans())
)
def test_only_masks_that_are_seen_through_have_holes(stats: MaskStatistics) -> None:
    if masks.classify(stats) is MaskKind.HOLE:
        assert stats.see_through > 0
