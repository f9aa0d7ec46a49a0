"""Uploads of every kind become PNGs for the scripts, or a sentence; results fit the upload."""

import contextlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sdrest import pictures
from sdrest.errors import InvalidRequestError
from tests.support.pictures import MAX_PIXELS, encoded, furthest, gradient, png, uploaded


def image_of(folder: Path) -> Image.Image:
    with Image.open(folder / "image.png") as picture:
        picture.load()
        return picture


def mask_of(folder: Path) -> Image.Image:
    with Image.open(folder / "mask.png") as picture:
        picture.load()
        return picture


def refused(folder: Path, *, max_pixels: int = MAX_PIXELS, **uploads: bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as raised:
        uploaded(folder, max_pixels=max_pixels, **uploads)
    assert not list(folder.glob("*.png")), "nothing of a refused upload is kept"
    return {error.field: error.message for error in raised.value.fields}


@pytest.mark.parametrize("format_", ["PNG", "BMP", "GIF", "JPEG", "WEBP"])
def test_every_format_becomes_an_rgb_png_of_its_size(tmp_path: Path, format_: str) -> None:
    options = {"lossless": True} if format_ == "WEBP" else {}
    source = gradient()

    made = image_of(uploaded(tmp_path, image=encoded(source, format_, **options)))

    assert (made.mode, made.size, made.format) == ("RGB", (96, 64), "PNG")
    assert furthest(made, source) <= {"JPEG": 24, "GIF": 40}.get(format_, 0)


def test_only_the_first_frame_of_an_animation_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])

    assert image_of(uploaded(tmp_path, image=content)).getpixel((0, 0)) == (255, 0, 0)


def test_exif_orientation_turns_the_picture_upright(tmp_path: Path) -> None:
    source = gradient((96, 64))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right

    made = image_of(uploaded(tmp_path, image=encoded(source, exif=exif)))

    assert made.size == (64, 96)
    assert made.tobytes() == source.rotate(-90, expand=True).tobytes()


def test_broken_exif_leaves_the_picture_as_it_is(tmp_path: Path) -> None:
    content = encoded(gradient(), "WEBP", lossless=True, exif=b"Exif\0\0no TIFF header at all")

    assert image_of(uploaded(tmp_path, image=content)).tobytes() == gradient().tobytes()


def test_transparent_parts_of_an_image_are_white_and_of_a_mask_black(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (200, 200, 200, 0))
    clear.putpixel((0, 0), (200, 200, 200, 255))

    folder = uploaded(tmp_path, image=encoded(clear), mask=encoded(clear))

    assert image_of(folder).getpixel((5, 5)) == (255, 255, 255)
    assert image_of(folder).getpixel((0, 0)) == (200, 200, 200)
    assert mask_of(folder).getpixel((5, 5)) == 0
    assert mask_of(folder).getpixel((0, 0)) == 255


def test_a_palette_with_transparency_is_flattened(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((0, 0), 0)

    made = image_of(uploaded(tmp_path, image=encoded(palette, transparency=0)))

    assert made.getpixel((0, 0)) == (255, 255, 255)
    assert made.getpixel((1, 1)) == (10, 20, 30)


@pytest.mark.parametrize(("wide", "narrow"), [(0, 0), (257 * 100, 100), (65535, 255), (32768, 128)])
def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path, wide: int, narrow: int) -> None:
    source = Image.new("I;16", (4, 4), wide)
    mask = source.copy()
    mask.putpixel((0, 0), 65535)

    folder = uploaded(tmp_path, image=encoded(source), mask=encoded(mask))

    assert image_of(folder).getpixel((2, 2)) == (narrow,) * 3
    assert mask_of(folder).getpixel((2, 2)) == (255 if narrow >= 128 else 0)


def test_cmyk_and_black_and_white_are_taken(tmp_path: Path) -> None:
    content = encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 255)), "JPEG")
    white = encoded(Image.new("1", (8, 8), 1))

    folder = uploaded(tmp_path, image=content, mask=white)

    assert image_of(folder).getpixel((3, 3)) == (0, 0, 0)
    assert mask_of(folder).getextrema() == (255, 255)


@pytest.mark.parametrize(("grey", "repainted"), [(127, 0), (128, 255)])
def test_the_mask_is_cut_at_128(tmp_path: Path, grey: int, repainted: int) -> None:
    mask = Image.new("L", (96, 64), grey)
    mask.putpixel((0, 0), 255)  # what repaints nothing is refused

    folder = uploaded(tmp_path, image=encoded(gradient()), mask=encoded(mask))

    assert mask_of(folder).crop((1, 1, 96, 64)).getextrema() == (repainted, repainted)


def test_the_mask_is_fitted_to_the_image(tmp_path: Path) -> None:
    left = Image.new("L", (10, 20), 0)
    left.paste(255, (0, 0, 5, 20))

    made = mask_of(uploaded(tmp_path, image=encoded(gradient((100, 60))), mask=encoded(left)))

    assert (made.mode, made.size) == ("L", (100, 60))
    assert made.crop((0, 0, 45, 60)).getextrema() == (255, 255)
    assert made.crop((55, 0, 100, 60)).getextrema() == (0, 0)
    assert set(made.tobytes()) == {0, 255}


def test_all_wrong_uploads_are_named_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, image=b"<html>", mask=encoded(gradient())[:200]) == {
        "image": "Is not a PNG, JPEG, WebP, GIF or BMP image.",
        "mask": "Is a damaged or incomplete image.",
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
        encoded(gradient(), "TIFF"),
        encoded(gradient(), "ICO"),
        encoded(gradient(), "PPM"),
    ],
    ids=["empty", "EPS", "TIFF", "ICO", "PPM"],
)
def test_other_files_are_no_images(tmp_path: Path, content: bytes) -> None:
    assert "Is not a PNG" in refused(tmp_path, image=content)["image"]


@pytest.mark.parametrize(
    "content",
    [
        png(20_000, 20_000, (b"IDAT", b"")),
        encoded(Image.new("1", (2049, 2048))),
        b"GIF89a"  # a frame far larger than its screen, to be cleared to the background afterwards
        + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
        + b"\x21\xf9\x04\x08\0\0\0\0,"
        + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0)
        + b"\2\0;",
    ],
    ids=["far too large", "a little too large", "GIF frame"],
)
def test_too_many_pixels_are_not_decoded(tmp_path: Path, content: bytes) -> None:
    message = refused(tmp_path, image=content, max_pixels=2048 * 2048)["image"]

    assert "At most 4194304 pixels" in message


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    content = encoded(Image.new("1", (256, 256)))

    assert image_of(uploaded(tmp_path, image=content, max_pixels=256 * 256)).size == (256, 256)


def test_a_thread_of_pixels_is_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, image=encoded(Image.new("1", (20_000, 1))))["image"]

    assert message.startswith("Has 20000x1 pixels. At most ")


def test_compressed_text_does_not_blow_up(tmp_path: Path) -> None:
    text = b"Comment\0\0" + zlib.compress(b"\0" * 100_000_000)
    content = png(64, 64, (b"zTXt", text), (b"IDAT", zlib.compress(b"\0" * 193 * 64)))

    assert refused(tmp_path, image=content) == {"image": "Is a damaged or incomplete image."}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    format_=st.sampled_from(["PNG", "BMP", "GIF", "JPEG", "WEBP"]),
    cut=st.integers(0, 400),
    garbage=st.binary(max_size=40),
)
def test_damaged_files_give_a_picture_or_a_sentence(
    tmp_path: Path, format_: str, cut: int, garbage: bytes
) -> None:
    content = encoded(gradient((16, 16)), format_)
    broken = content[:cut] + garbage + content[cut + len(garbage) :]
    with contextlib.suppress(InvalidRequestError):
        assert image_of(uploaded(tmp_path, image=broken)).mode == "RGB"


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_fitted_sides_are_the_nearest_multiples_of_64(width: int, height: int) -> None:
    for side, fitted in zip((width, height), pictures.fit((width, height)), strict=True):
        assert fitted % 64 == 0
        assert fitted >= 64
        assert fitted == 64 or abs(fitted - side) <= 32


def test_an_image_alone_is_resampled_for_the_script(tmp_path: Path) -> None:
    folder = uploaded(tmp_path, image=encoded(gradient((500, 333))))
    (folder / "script").mkdir()

    path = pictures.script_input(folder / "image.png", None, folder / "script")

    assert [file.name for file in (folder / "script").iterdir()] == ["image.png"]
    with Image.open(path) as fitted:
        assert (fitted.size, fitted.mode) == ((512, 320), "RGB")


def test_written_pictures_carry_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    content = encoded(gradient(), "JPEG", exif=exif, comment=b"secret")

    assert image_of(uploaded(tmp_path, image=content)).info == {}


def test_padding_may_go_beyond_the_limit_of_uploads(tmp_path: Path) -> None:
    size = (65, 65)
    mask = Image.new("L", size, 255)
    folder = uploaded(
        tmp_path, max_pixels=65 * 65, image=encoded(gradient(size)), mask=encoded(mask)
    )
    pair = tmp_path / "pair"
    pair.mkdir()
    path = pictures.script_input(folder / pictures.IMAGE_NAME, folder / pictures.MASK_NAME, pair)
    with Image.open(path) as padded:
        assert padded.size == (128, 128)
    pictures.restore_outside(
        path, folder / pictures.IMAGE_NAME, folder / pictures.MASK_NAME, tmp_path / "out.png"
    )
    with Image.open(tmp_path / "out.png") as restored:
        assert restored.size == size
