"""What inpainting gives back: the picture's own size and pixels, but for what the mask repaints."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from sdrest import pictures
from sdrest.pictures import masks
from tests.support.pictures import encoded, gradient, uploaded


@pytest.mark.parametrize("size", [(20, 20), (64, 128), (100, 65)])
def test_an_inpainted_picture_keeps_size_and_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    white = Image.new("L", size, 0)
    white.paste(255, (0, 0, size[0] // 2, size[1]))
    folder = uploaded(tmp_path, image=encoded(gradient(size)), mask=encoded(white))
    (folder / "pair").mkdir()

    path = pictures.script_input(folder / "image.png", folder / "mask.png", folder / "pair")
    with Image.open(path) as sent, Image.open(folder / "pair" / "image_mask.png") as sent_mask:
        assert sent.size == sent_mask.size
        assert all(side % 64 == 0 for side in sent.size)
        assert sent.crop((0, 0, *size)).tobytes() == gradient(size).tobytes()
        assert sent.getpixel((sent.width - 1, 0)) == gradient(size).getpixel((size[0] - 1, 0))
        assert sent.getpixel((0, sent.height - 1)) == gradient(size).getpixel((0, size[1] - 1))
        result = ImageChops.invert(sent)
    result.save(folder / "result.png")
    pictures.restore_outside(
        folder / "result.png", folder / "image.png", folder / "mask.png", folder / "result.png"
    )

    with Image.open(folder / "result.png") as restored:
        assert restored.size == size
        middle = size[0] // 2
        right, left = (middle, 0, *size), (0, 0, middle, size[1])
        assert restored.crop(right).tobytes() == gradient(size).crop(right).tobytes()
        inverted = ImageChops.invert(gradient(size))
        assert restored.crop(left).tobytes() == inverted.crop(left).tobytes()


def test_a_softly_restored_picture_is_the_image_outside_the_mask_and_mixed_inside_its_edge(
    tmp_path: Path,
) -> None:
    size = (100, 70)
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, 50, 70))
    mask.paste(255, (70, 20, 72, 60))  # too thin for a ramp
    folder = uploaded(tmp_path, image=encoded(Image.new("RGB", size)), mask=encoded(mask))
    Image.new("RGB", (128, 128), "white").save(folder / "result.png")

    paths = (folder / name for name in ("result.png", "image.png", "mask.png", "restored.png"))
    pictures.restore_outside(*paths, feather=4)

    with Image.open(folder / "restored.png") as restored:
        values = restored.getchannel("R")
    outside = mask.point(lambda value: 255 - value)
    assert ImageChops.darker(values, outside).getbbox() is None
    row = [*values.crop((0, 35, size[0], 36)).tobytes()]
    ramp = row[45:50]
    assert row[:46] == [255] * 46
    assert ramp == sorted(ramp, reverse=True)
    assert 0 < ramp[-1] < ramp[-2] < 255
    assert row[70:72] == [255, 255]


@pytest.mark.parametrize("feather", [1, 4, 64, 256])
@pytest.mark.parametrize("box", [(0, 0, 64, 64), (20, 20, 60, 60), (5, 5, 6, 6)])
def test_a_soft_mask_repaints_something_of_every_white_pixel(
    box: tuple[int, int, int, int], feather: int
) -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, box)

    soft = masks.soften(mask, feather)

    assert min(soft.crop(box).tobytes()) > 0
    assert max(soft.crop(box).tobytes()) == 255
    soft.paste(0, box)
    assert soft.getbbox() is None


def test_a_part_that_is_too_thin_for_a_soft_edge_gets_a_narrower_one() -> None:
    mask = Image.new("L", (200, 100))
    mask.paste(255, (0, 0, 100, 100))
    mask.paste(255, (150, 0, 180, 100))

    row = [*masks.soften(mask, 20).crop((0, 50, 200, 51)).tobytes()]

    assert row[:80] == [255] * 80
    assert row[80:101] == sorted(row[80:101], reverse=True)
    assert 0 < row[99] < 32
    assert max(row[150:180]) == 255
    assert 0 < row[150] < row[155] < row[160] == 255
    assert row[150:180] == row[179:149:-1]
