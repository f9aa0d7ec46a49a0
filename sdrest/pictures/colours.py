"""Converts colours to sRGB, which the models were trained on.

Relative colorimetric with black point compensation, the default of image editors: a colour inside
sRGB stays the same (the perceptual intent would move it), white stays white, black becomes black.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from PIL import Image, ImageCms

from sdrest import png
from sdrest.pictures import icc
from sdrest.pictures.files import StrippedFile


class Srgb(Enum):
    """The values are sRGB."""

    SRGB = auto()


@dataclass(frozen=True, slots=True)
class Gamma:
    """Light is value ** (1 / `exponent`); the primaries are sRGB's."""

    exponent: float


@dataclass(frozen=True, slots=True)
class Profile:
    """An ICC profile describes the values."""

    data: bytes


ColourSpace = Srgb | Gamma | Profile

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_DEVICES = frozenset({"mntr", "scnr", "prtr", "spac"})
_SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "LA": "GRAY", "CMYK": "CMYK"}

_SRGB_GAMMA = 1 / 2.2
_GAMMA_TOLERANCE = 0.05
"""Gammas that differ less count as sRGB's, as in libpng."""

_PRIMARIES_TOLERANCE = 0.01
_EXPONENT_RANGE = 0.1, 10.0
"""Exponents outside of this range are ignored as damaged."""

_VALUE_TOLERANCE = 2
"""Profiles that change no value by more count as sRGB; the values then stay the same."""

_LIGHT_GREY, _MIN_STEP, _MIN_CONTRAST = 192, 16, 128
"""Profiles that bring black closer to white, or to a light grey, are ignored as broken."""

_STEPS = (*range(0, 256, 32), 255)
_PROBE = bytes(
    part for red in _STEPS for green in _STEPS for blue in _STEPS for part in (red, green, blue)
)

# The fields of cICP: primaries, transfer, matrix and range as in ITU-T H.273.
_CICP_PRIMARIES = {1: icc.SRGB, 9: icc.BT_2020, 12: icc.DISPLAY_P3}
_CICP_CURVES = {4: icc.power_curve(2.2), 8: icc.power_curve(1.0), 13: icc.SRGB_CURVE}
_CICP_RGB_FULL_RANGE = b"\0\1"


def declared_spaces(source: StrippedFile) -> list[ColourSpace]:
    """Return the colour spaces that a file declares; the first usable one counts.

    The order is that of the PNG specification (third edition, 4.3): cICP, iCCP, sRGB, then gAMA
    with cHRM. Invalid declarations are left out.
    """
    found: list[ColourSpace | None] = []
    chunks = source.contents.ancillary if source.contents else {}
    if b"cICP" in chunks:
        found.append(_from_cicp(chunks[b"cICP"]))
    if source.icc:
        found.append(Profile(source.icc))
    if len(chunks.get(b"sRGB", b"")) == 1:
        found.append(Srgb.SRGB)
    if source.contents:
        found.append(_from_gamma(source.contents))
    return [space for space in found if space is not None]


def to_srgb(picture: Image.Image, colours: Iterable[ColourSpace]) -> Image.Image:
    """Return the picture in sRGB with the same alpha; it may be `picture` itself.

    `picture` is of a mode L, LA, RGB, RGBA, CMYK or, with 16 bits, I;16, and may be changed. A
    profile that is broken or for another mode is ignored. Values that are sRGB already stay bit for
    bit.
    """
    for space in colours:
        match space:
            case Srgb():
                return picture
            case Gamma(exponent):
                return picture if picture.mode == "CMYK" else _apply_gamma(picture, exponent)
            case Profile(data):
                converted = _apply_profile(picture, data)
                if converted is not None:
                    return converted
    return picture


def to_8_bits(picture: Image.Image) -> Image.Image:
    """Return 16-bit grey as L; `convert` alone would clip values instead of scaling."""
    return picture.convert("I").point(_scale).convert("L")


def _scale_to_8_bits(value: float) -> float:
    return value * (1 / 257) + 0.5


# Pillow accepts linear functions for wide pixels; its type hints know only tables.
_scale: Callable[[int], float] = _scale_to_8_bits


def _from_cicp(data: bytes) -> ColourSpace | None:
    primaries = _CICP_PRIMARIES.get(data[0]) if len(data) == 4 else None  # noqa: PLR2004
    curve = _CICP_CURVES.get(data[1]) if primaries else None
    if primaries is None or curve is None or data[2:] != _CICP_RGB_FULL_RANGE:
        return None
    if (primaries, curve) == (icc.SRGB, icc.SRGB_CURVE):
        return Srgb.SRGB
    profile = icc.profile(primaries, curve)
    return Profile(profile) if profile else None


def _from_gamma(contents: png.ImageData) -> ColourSpace | None:
    """Read gAMA and cHRM; cHRM is of no use without gAMA."""
    data = contents.ancillary.get(b"gAMA", b"")
    exponent = int.from_bytes(data, "big") / 100_000
    if len(data) != 4 or not _EXPONENT_RANGE[0] <= exponent <= _EXPONENT_RANGE[1]:  # noqa: PLR2004
        return None
    chromaticities = _chromaticities(contents)
    if chromaticities and contents.colour_type not in {0, 4}:
        profile = icc.profile(chromaticities, icc.power_curve(1 / exponent))
        if profile:
            return Profile(profile)
    if abs(exponent / _SRGB_GAMMA - 1) <= _GAMMA_TOLERANCE:
        return Srgb.SRGB
    return Gamma(exponent)


def _chromaticities(contents: png.ImageData) -> icc.Chromaticities | None:
    """Return the chromaticities of cHRM, or None if they are missing or sRGB's."""
    data = contents.ancillary.get(b"cHRM", b"")
    if len(data) != 32:  # noqa: PLR2004
        return None
    a, b, c, d, e, f, g, h = (
        int.from_bytes(data[at : at + 4], "big") / 100_000 for at in range(0, 32, 4)
    )
    found = (a, b, c, d, e, f, g, h)
    same = all(
        abs(one - other) <= _PRIMARIES_TOLERANCE for one, other in zip(found, icc.SRGB, strict=True)
    )
    return None if same else found


def _apply_gamma(picture: Image.Image, exponent: float) -> Image.Image:
    maximum = 65535 if picture.mode == "I;16" else 255
    table = [
        round(255 * _encode_srgb((value / maximum) ** (1 / exponent)))
        for value in range(maximum + 1)
    ]
    if picture.mode == "I;16":
        return picture.convert("I").point(table, "L")
    return _apply_table(picture, table)


def _encode_srgb(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055  # noqa: PLR2004


def _apply_table(picture: Image.Image, table: list[int]) -> Image.Image:
    """Replace all values except alpha."""
    bands = len(picture.getbands())
    alpha = picture.mode in {"LA", "RGBA"}
    return picture.point(table * (bands - alpha) + list(range(256)) * alpha)


def _apply_profile(picture: Image.Image, data: bytes) -> Image.Image | None:
    """Return the picture in sRGB, or None if the profile does not fit it."""
    if picture.mode == "I;16":
        picture = to_8_bits(picture)
    space = _SPACES.get(picture.mode)
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        described = profile.profile.xcolor_space.strip(), profile.profile.device_class
        if space is None or described[0] != space or described[1] not in _DEVICES:
            return None
        return (_apply_grey_profile if space == "GRAY" else _apply_colour_profile)(picture, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _apply_colour_profile(
    picture: Image.Image, profile: ImageCms.ImageCmsProfile
) -> Image.Image | None:
    transform = _transform(profile, picture.mode, "RGBA" if picture.mode == "RGBA" else "RGB")
    if not _is_plausible(transform, picture.mode):
        return None
    if picture.mode == "CMYK":
        return ImageCms.applyTransform(picture, transform)
    if not _is_srgb(transform, picture.mode):
        ImageCms.applyTransform(picture, transform, inPlace=True)
    return picture


def _apply_grey_profile(
    picture: Image.Image, profile: ImageCms.ImageCmsProfile
) -> Image.Image | None:
    converted = ImageCms.applyTransform(_row(range(256)), _transform(profile, "L", "RGB"))
    if converted is None:
        return None
    table = list(converted.getchannel("G").tobytes())
    if table[-1] - table[0] < _MIN_CONTRAST or table[_LIGHT_GREY] - table[0] < _MIN_STEP:
        return None
    if max(abs(value - grey) for grey, value in enumerate(table)) <= _VALUE_TOLERANCE:
        return picture
    return _apply_table(picture, table)


def _transform(
    profile: ImageCms.ImageCmsProfile, mode: str, target: str
) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, mode, target, _INTENT, _FLAGS)


def _is_plausible(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether black, a light grey and white stay distinct and in order."""
    greys = (0, _LIGHT_GREY, 255)
    if mode == "CMYK":
        probe = Image.merge(mode, [Image.new("L", (3, 1))] * 3 + [_row(255 - v for v in greys)])
    else:
        probe = _row(greys).convert(mode)
    converted = ImageCms.applyTransform(probe, transform)
    if converted is None:
        return False
    dark, grey, light = converted.convert("L").tobytes()
    return light - dark >= _MIN_CONTRAST and dark + _MIN_STEP <= grey <= light


def _row(values: Iterable[int]) -> Image.Image:
    data = bytes(values)
    return Image.frombytes("L", (len(data), 1), data)


def _is_srgb(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    probe = Image.frombytes("RGB", (len(_PROBE) // 3, 1), _PROBE)
    converted = ImageCms.applyTransform(probe.convert(mode), transform)
    if converted is None:
        return False
    values = converted.convert("RGB").tobytes()
    return max(abs(a - b) for a, b in zip(values, _PROBE, strict=True)) <= _VALUE_TOLERANCE
