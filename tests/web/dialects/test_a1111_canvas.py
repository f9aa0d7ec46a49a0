"""How pictures and masks are cut out, filled and put back, as the web UI does it."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from sdrest.errors import InvalidRequestError
from sdrest.web.dialects.a1111.canvas import Canvas, finish, prepare
from sdrest.web.dialects.a1111.fields import Img2Img, read
from sdrest.web.dialects.a1111.mapping import plan

ORANGE, BLUE = (200, 120, 40), (10, 20, 250)
MAX_PIXELS = 2**24
Box = tuple[int, int, int, int]


def saved(folder: Path, name: str, picture: Image.Image) -> Path:
    picture.save(folder / name, "PNG")
    return folder / name


def mask(box: Box, size: tuple[int, int] = (300, 200), *, inverted: bool = False) -> Image.Image:
    picture = Image.new("L", size, 255 if inverted else 0)
    ImageDraw.Draw(picture).rectangle(box, fill=0 if inverted else 255)
    return picture


def prepared(folder: Path, masked: Image.Image | None = None, **fields: Any) -> Canvas:
    """Prepare a picture of 300 x 200 pixels."""
    wanted = read(Img2Img, {"init_images": ["x"], "mask_blur": 0, "seed": 1, **fields})
    image = saved(folder, "picture", Image.new("RGB", (300, 200), ORANGE))
    path = None if masked is None else saved(folder, "mask", masked)
    return prepare(image, path, wanted, plan(wanted), max_pixels=MAX_PIXELS)


def opened(path: Path | None) -> Image.Image:
    assert path is not None
    with Image.open(path) as picture:
        picture.load()
        return picture


def painted(canvas: Canvas) -> Image.Image:
    """Return the answer to a job that painted everything blue."""
    return finish(canvas, Image.new("RGB", opened(canvas.image).size, BLUE), canvas.size)


def box_of(picture: Image.Image, colour: tuple[int, int, int]) -> Box | None:
    """Return the smallest box with all pixels of a colour."""
    same = Image.new("L", picture.size)
    same.putdata([255 * (pixel == colour) for pixel in picture.get_flattened_data()])
    return same.getbbox()


@pytest.mark.parametrize("mode", range(4))
def test_a_picture_gets_the_size_that_is_asked_for(tmp_path: Path, mode: int) -> None:
    canvas = prepared(tmp_path, resize_mode=mode, width=400, height=400)
    assert opened(canvas.image).size == (448, 448)
    assert opened(canvas.image).getcolors() == [(448 * 448, ORANGE)]
    assert painted(canvas).size == (400, 400)


def test_the_whole_picture_is_repainted_where_the_mask_is_white(tmp_path: Path) -> None:
    canvas = prepared(
        tmp_path, mask((100, 50, 199, 149)), inpaint_full_res=False, width=300, height=200
    )
    result = painted(canvas)
    assert result.size == (300, 200)
    assert box_of(result, BLUE) == (100, 50, 200, 150)
    assert set(result.get_flattened_data()) == {BLUE, ORANGE}
    assert opened(canvas.mask).size == opened(canvas.image).size == (320, 256)


@pytest.mark.parametrize(
    "masked",
    [
        mask((100, 50, 199, 149), inverted=True),
        Image.merge("LA", (mask((0, 0, 9, 9)), mask((100, 50, 199, 149), inverted=True))),
    ],
)
def test_an_inverted_mask_and_one_of_alpha(tmp_path: Path, masked: Image.Image) -> None:
    fields = {"inpaint_full_res": False, "width": 300, "height": 200}
    result = painted(prepared(tmp_path, masked, inpainting_mask_invert=1, **fields))
    assert box_of(result, BLUE) == (100, 50, 200, 150)


def test_only_the_masked_region_is_made_and_the_answer_has_the_size_of_the_picture(
    tmp_path: Path,
) -> None:
    canvas = prepared(
        tmp_path,
        mask((10, 60, 29, 89)),
        inpaint_full_res=True,
        inpaint_full_res_padding=10,
        width=512,
        height=256,
    )
    assert canvas.region == (0, 50, 100, 100)  # in the shape of 512 x 256, within the picture
    assert opened(canvas.image).size == (512, 256)
    result = painted(canvas)
    assert result.size == (300, 200)
    assert box_of(result, BLUE) == (10, 60, 30, 90)


def test_a_blur_feathers_the_edge_and_leaves_what_is_far(tmp_path: Path) -> None:
    fields = {"inpaint_full_res": False, "width": 300, "height": 200, "mask_blur": 4}
    canvas = prepared(tmp_path, mask((100, 50, 199, 149)), **fields)
    result = painted(canvas)
    assert result.getpixel((150, 100)) == BLUE
    assert result.getpixel((95, 100)) not in {BLUE, ORANGE}
    assert result.getpixel((70, 100)) == ORANGE


def test_a_blank_mask_is_none(tmp_path: Path) -> None:
    canvas = prepared(tmp_path, Image.new("L", (300, 200)), width=300, height=200)
    assert (canvas.mask, canvas.overlay) == (None, None)


@pytest.mark.parametrize("fill", range(4))
def test_what_the_masked_part_starts_from(tmp_path: Path, fill: int) -> None:
    fields = {"inpaint_full_res": False, "width": 300, "height": 200, "inpainting_fill": fill}
    canvas = prepared(tmp_path, mask((100, 50, 199, 149)), **fields)
    start = opened(canvas.image)
    middle, outside = start.getpixel((160, 128)), start.getpixel((20, 20))
    assert outside == ORANGE
    assert (middle == ORANGE) is (fill == 1)
    again = prepared(tmp_path, mask((100, 50, 199, 149)), **fields)
    assert opened(again.image).tobytes() == start.tobytes()


@pytest.mark.parametrize("name", ["picture", "mask"])
def test_what_is_no_picture_is_named(tmp_path: Path, name: str) -> None:
    wanted = read(Img2Img, {"init_images": ["x"]})
    image = saved(tmp_path, "picture", Image.new("RGB", (300, 200)))
    masked = saved(tmp_path, "mask", mask((1, 1, 9, 9)))
    (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(InvalidRequestError, match="Invalid encoded image"):
        prepare(image, masked, wanted, plan(wanted), max_pixels=MAX_PIXELS)
