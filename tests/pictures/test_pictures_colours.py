"""Colours arrive in sRGB: profiles and gamma of PNG, JPEG, WebP and MPO; sRGB stays bit for bit."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms

from sdrest import pictures
from sdrest.pictures import icc
from tests.support.colours import (
    ADOBE_PRIMARIES,
    P3,
    RED,
    SRGB,
    cmyk_profile,
    colour,
    grey_profile,
    lut_profile,
    near,
)
from tests.support.paths import DATA
from tests.support.picture_files import prepared

CASES = DATA / "cases"


ADOBE = icc.profile(ADOBE_PRIMARIES, icc.power_curve(563 / 256)) or b""


PROPHOTO_PRIMARIES = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)


PROPHOTO = icc.profile(PROPHOTO_PRIMARIES, icc.power_curve(1.8)) or b""


LITTLE_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


CONVERTED = {
    "P3": (P3, (217, 42, 52)),
    "Adobe RGB": (ADOBE, (231, 57, 57)),
    "ProPhoto": (PROPHOTO, (255, 0, 74)),
}


def encoded(picture: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def colours(size: tuple[int, int] = (64, 64)) -> Image.Image:
    ramp = Image.linear_gradient("L")
    parts = (ramp, ramp.rotate(90), Image.radial_gradient("L"))
    return Image.merge("RGB", parts).resize(size)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p3.png", (217, 42, 52)),
        ("gamma1.png", (229, 133, 133)),
        ("untagged.png", (200, 60, 60)),
    ],
)
def test_colours_of_files_that_people_have(
    tmp_path: Path, name: str, expected: tuple[int, ...]
) -> None:
    made = prepared(tmp_path, (CASES / name).read_bytes())

    assert near(colour(made), expected, 0 if name == "untagged.png" else 1)


@pytest.mark.parametrize("profile", CONVERTED)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "MPO"])
def test_profiles_are_converted(tmp_path: Path, format_: str, profile: str) -> None:
    data, expected = CONVERTED[profile]
    formats: dict[str, dict[str, object]] = {
        "PNG": {},
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
        "MPO": {"quality": 100, "save_all": True, "append_images": [Image.new("RGB", (4, 4))]},
    }

    source = Image.new("RGB", (16, 16), RED)
    made = prepared(tmp_path, encoded(source, format_, icc_profile=data, **formats[format_]))

    assert near(colour(made), expected, 1 if format_ in {"PNG", "WEBP"} else 4)


def test_a_profile_in_several_segments(tmp_path: Path) -> None:
    content = encoded(Image.new("RGB", (16, 16), RED), "JPEG", quality=100)
    half = len(P3) // 2
    parts = [P3[:half], P3[half:]]
    segments = [
        struct.pack(">BBH", 0xFF, 0xE2, len(part) + 16) + b"ICC_PROFILE\0" + bytes((at, 2)) + part
        for at, part in enumerate(parts, 1)
    ]

    made = prepared(tmp_path, content[:20] + segments[1] + segments[0] + content[20:])

    assert near(colour(made), (217, 42, 52), 4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("profile", [SRGB, LITTLE_SRGB, None])
def test_srgb_stays_bit_for_bit(tmp_path: Path, mode: str, profile: bytes | None) -> None:
    source = colours().convert(mode)

    made = prepared(tmp_path, encoded(source, icc_profile=profile))

    assert made.tobytes() == source.convert("RGB").tobytes()


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_is_kept_and_laid_on_white_afterwards(tmp_path: Path, alpha: int) -> None:
    source = Image.new("RGBA", (8, 8), (*RED, alpha))
    opaque = (217, 42, 52)

    made = prepared(tmp_path, encoded(source, icc_profile=P3))

    expected = tuple(round((part * alpha + 255 * (255 - alpha)) / 255) for part in opaque)
    assert near(colour(made), expected)


def test_a_palette_is_converted_with_its_transparency(tmp_path: Path) -> None:
    source = Image.new("P", (8, 8), 1)
    source.putpalette([*RED, *RED])
    source.putpixel((0, 0), 0)

    made = prepared(tmp_path, encoded(source, icc_profile=P3, transparency=0))

    assert made.getpixel((0, 0)) == (255, 255, 255)
    assert near(colour(made), (217, 42, 52))


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profiles_are_converted(tmp_path: Path, mode: str) -> None:
    value: dict[str, int | tuple[int, int]] = {"L": 60, "LA": (60, 255), "I;16": 60 * 257}
    source = Image.new(mode, (8, 8), value[mode])
    for format_ in ("PNG", "JPEG") if mode == "L" else ("PNG",):
        made = prepared(
            tmp_path, encoded(source, format_, icc_profile=grey_profile(icc.power_curve(1.0)))
        )
        assert near(colour(made), (133,) * 3)


def test_a_grey_profile_of_srgbs_curve_changes_nothing(tmp_path: Path) -> None:
    source = Image.linear_gradient("L")

    made = prepared(tmp_path, encoded(source, icc_profile=grey_profile(icc.SRGB_CURVE)))

    assert made.tobytes() == source.convert("RGB").tobytes()


def test_cmyk_with_a_profile_is_converted_by_it(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    bare = colour(prepared(tmp_path, encoded(cyan, "JPEG", quality=100)))
    made = colour(
        prepared(tmp_path, encoded(cyan, "JPEG", quality=100, icc_profile=cmyk_profile()))
    )
    white = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    paper = colour(
        prepared(tmp_path, encoded(white, "JPEG", quality=100, icc_profile=cmyk_profile()))
    )

    assert near(bare, (0, 255, 255), 3)
    assert not near(made, bare, 40)
    assert made[1] > made[0]
    assert near(paper, (255, 255, 255), 3)


def test_profiles_that_are_tables_are_converted(tmp_path: Path) -> None:
    made = prepared(
        tmp_path, encoded(Image.new("RGB", (8, 8), (255, 0, 0)), icc_profile=lut_profile())
    )

    assert near(colour(made), (0, 0, 255), 12)


@pytest.mark.parametrize(
    "profile",
    [
        b"x",
        b"garbage" * 99,
        P3[:128],
        P3[:200],
        P3[:-100],
        P3[:36] + b"nope" + P3[40:],
        P3.replace(b"mntr", b"link"),
        P3.replace(b"mntr", b"nmcl"),
        P3.replace(b"RGB ", b"GRAY"),
        P3.replace(b"RGB ", b"CMYK"),
        P3.replace(b"RGB ", b"Lab "),
        grey_profile(icc.power_curve(2.2)),
        cmyk_profile(),
        icc.profile(icc.SRGB, icc.power_curve(3000.0)) or b"",
        bytes(2_000_000),
    ],
    ids=range(15),
)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP"])
def test_profiles_that_do_not_go_with_the_picture_are_ignored(
    tmp_path: Path, format_: str, profile: bytes
) -> None:
    source = colours()
    options = {"quality": 100} if format_ == "JPEG" else {"lossless": True}
    plain = prepared(tmp_path, encoded(source, format_, **options)).tobytes()

    made = prepared(tmp_path, encoded(source, format_, icc_profile=profile, **options))

    assert made.tobytes() == plain


def test_a_picture_with_a_profile_comes_back_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    source = Image.new("RGB", (16, 8), RED)

    made = prepared(tmp_path, encoded(source, "JPEG", icc_profile=P3, exif=exif, quality=100))

    assert made.size == (8, 16)
    assert near(colour(made), (217, 42, 52), 4)


def test_the_mask_keeps_its_values(tmp_path: Path) -> None:
    mask = Image.new("RGB", (64, 64), (127, 127, 127))
    mask.paste((128, 128, 128), (0, 0, 32, 64))
    (tmp_path / "image").write_bytes(encoded(colours()))
    (tmp_path / "mask").write_bytes(encoded(mask, icc_profile=PROPHOTO))

    pictures.prepare(
        {"image": tmp_path / "image", "mask": tmp_path / "mask"}, tmp_path, max_pixels=1 << 24
    )

    with Image.open(tmp_path / "mask.png") as made:
        expected = mask.convert("L").point(lambda value: 255 * (value >= 128))
        assert ImageChops.difference(made, expected).getbbox() is None
