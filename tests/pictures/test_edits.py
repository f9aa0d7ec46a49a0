"""Pictures that a client wants to have changed: sizes, and which parts are repainted."""

from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from sdrest.errors import InvalidRequestError
from sdrest.pictures.answers import Format, encode, enlarge
from sdrest.pictures.edits import Edit, prepare_edit
from tests.support.pictures import MAX_PIXELS, encoded, gradient

HOLE = (16, 16, 48, 48)


def with_hole(picture: Image.Image, alpha: int = 0) -> Image.Image:
    made = picture.convert("RGBA")
    made.paste((0, 0, 0, alpha), HOLE)
    return made


def prepared(
    folder: Path,
    image: Image.Image,
    mask: Image.Image | None = None,
    size: tuple[int, int] | None = None,
) -> Edit:
    sent = folder / "sent"
    sent.write_bytes(encoded(image))
    drawn = None
    if mask is not None:
        drawn = folder / "drawn"
        drawn.write_bytes(encoded(mask))
    return prepare_edit(sent, drawn, size, folder, max_pixels=MAX_PIXELS)


def opened(edit: Edit, name: str) -> Image.Image:
    with Image.open(edit.uploads[name]) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("alpha", [0, 100])
def test_what_is_transparent_in_the_mask_is_white_in_the_job(tmp_path: Path, alpha: int) -> None:
    image = gradient((64, 64))
    edit = prepared(tmp_path, image, with_hole(Image.new("RGB", (64, 64)), alpha), (64, 64))
    assert opened(edit, "mask").getbbox() == HOLE
    assert opened(edit, "image").tobytes() == image.tobytes()
    assert (edit.size, edit.from_image) == ((64, 64), False)


def test_a_mask_of_another_size_is_fitted_to_the_picture(tmp_path: Path) -> None:
    mask = with_hole(Image.new("RGB", (64, 64)))
    edit = prepared(tmp_path, gradient((128, 128)), mask, (256, 256))
    assert opened(edit, "mask").getbbox() == tuple(4 * side for side in HOLE)
    assert opened(edit, "image").size == (256, 256)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_mask_without_a_transparent_part_is_refused(tmp_path: Path, mode: str) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, HOLE)
    with pytest.raises(InvalidRequestError, match="mask: Has no transparent part"):
        prepared(tmp_path, gradient((64, 64)), mask.convert(mode))


def test_without_a_mask_the_hole_of_the_picture_is_repainted(tmp_path: Path) -> None:
    edit = prepared(tmp_path, with_hole(gradient((64, 64))), size=(64, 64))
    assert edit.from_image
    assert opened(edit, "mask").getbbox() == HOLE
    assert opened(edit, "image").getpixel((32, 32)) == (255, 255, 255)


def test_without_a_mask_the_picture_is_padded_for_the_script(tmp_path: Path) -> None:
    edit = prepared(tmp_path, gradient((96, 64)), size=(300, 200))
    assert (edit.size, list(edit.uploads)) == ((300, 200), ["image"])
    assert opened(edit, "image").size == (320, 256)
    assert not edit.is_cropped
    with Image.open(edit.uploads["image"]) as result:
        data = encode(edit.uploads["image"], "png", size=edit.size, middle=False, quality=100)
        expected = result.crop((0, 0, 300, 200))
    answer = tmp_path / "answer.png"
    answer.write_bytes(data)
    with Image.open(answer) as cut:
        assert cut.tobytes() == expected.tobytes()


def test_a_picture_of_another_shape_is_cut_and_a_large_one_reduced(tmp_path: Path) -> None:
    assert prepared(tmp_path, gradient((96, 64)), size=(256, 256)).is_cropped
    large = prepared(tmp_path, Image.new("RGB", (3000, 2000)))
    assert (large.size, large.is_reduced) == ((1254, 836), True)
    assert not large.is_cropped


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        ((1, 1), (256, 256)),
        ((96, 64), (314, 210)),
        ((300, 300), (300, 300)),
        ((8000, 160), (4096, 81)),
    ],
)
def test_an_open_size_is_one_that_the_models_can_make(
    tmp_path: Path, sent: tuple[int, int], made: tuple[int, int]
) -> None:
    edit = prepared(tmp_path, Image.new("RGB", sent))
    assert (edit.size, edit.is_enlarged, edit.is_cropped) == (made, made > sent, False)


def test_a_picture_that_is_too_narrow_needs_a_size(tmp_path: Path) -> None:
    narrow = Image.new("RGB", (16000, 10))
    with pytest.raises(InvalidRequestError, match="image: Is too narrow"):
        prepared(tmp_path, narrow)
    assert prepared(tmp_path, narrow, size=(256, 256)).size == (256, 256)


@pytest.mark.parametrize("kind", get_args(Format))
def test_a_preview_gets_the_size_and_format_of_the_answer(tmp_path: Path, kind: Format) -> None:
    small = encoded(gradient((32, 32)), "JPEG")
    made = tmp_path / "made"
    made.write_bytes(enlarge(small, kind, size=(96, 64), quality=80))
    with Image.open(made) as picture:
        assert (picture.size, picture.format) == ((96, 64), kind.upper())
