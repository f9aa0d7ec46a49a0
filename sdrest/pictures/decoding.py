"""Decodes uploaded files as pictures: upright, in sRGB, with their transparency.

Files are recognised by their content and decoded by an explicit list of decoders. Every problem is
a `PictureError` with a sentence for the client.
"""

import io
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from sdrest import png
from sdrest.errors import SdrestError
from sdrest.parameter_values import SIZE_MULTIPLE
from sdrest.pictures.colours import ColourSpace, declared_spaces, to_8_bits, to_srgb
from sdrest.pictures.files import StrippedFile, strip_metadata
from sdrest.pictures.orientation import orientation

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""The decoders of Pillow that uploads may reach; it has forty more, PostScript among them."""

MAX_SIDE = 16_384
"""Longest side in pixels: otherwise a picture one pixel wide would grow 64 times when fitted."""

MAX_PADDING = 2 * SIZE_MULTIPLE * (MAX_SIDE + SIZE_MULTIPLE)
"""Upper bound of the pixels that padding for the scripts adds to a picture."""

Size = tuple[int, int]

# Pillow only warns between its limit and twice as much; treat the warning as an error.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_UNKNOWN = "Is not a PNG, JPEG, WebP, GIF or BMP image."
_DAMAGED = "Is a damaged or incomplete image."

_GREY_ALPHA = 4  # PNG's colour type


class PictureError(SdrestError):
    """A file is not a picture, or a broken one."""

    default_message = "The file cannot be used as a picture."


def decode(path: Path, *, max_pixels: int, colours: bool = True) -> Image.Image:
    """Decode an upload; its size and format are checked before pixels are decoded.

    The picture has the mode 1, L, LA, P, PA, RGB, RGBA or CMYK, and no metadata except a
    transparent colour. Without `colours` its values stay those of the file.
    """
    # Decoders such as GIF's reserve memory when they open. The limit holds for all of Pillow, which
    # later pads a picture that was just small enough.
    Image.MAX_IMAGE_PIXELS = max_pixels + MAX_PADDING
    try:
        stripped = _read(path.read_bytes(), max_pixels)
        with Image.open(io.BytesIO(stripped.file), formats=FORMATS) as picture:
            check_size(picture.size, max_pixels)
            picture.load()
            return _apply_metadata(picture, stripped, colours=colours)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"Has too many pixels. {_describe_limits(max_pixels)}") from None
    except UnidentifiedImageError as error:
        raise PictureError(_DAMAGED if stripped.contents else _UNKNOWN) from error
    except PictureError:
        raise
    except Exception as error:  # decoders raise anything for a broken file
        raise PictureError(_DAMAGED) from error


def check_size(size: Size, max_pixels: int) -> None:
    """Raise `PictureError` if a picture has too many pixels."""
    width, height = size
    if width * height > max_pixels or max(size) > MAX_SIDE:
        raise PictureError(f"Has {width}x{height} pixels. {_describe_limits(max_pixels)}")


def _read(data: bytes, max_pixels: int) -> StrippedFile:
    """Strip the metadata; check the size of a PNG before its chunks are collected."""
    if data.startswith(png.SIGNATURE):
        size = png.size(lambda position, length: data[position : position + length])
        check_size(size, max_pixels)
    return strip_metadata(data)


def _describe_limits(max_pixels: int) -> str:
    return f"At most {max_pixels} pixels, and {MAX_SIDE} to a side, are allowed."


def _apply_metadata(picture: Image.Image, stripped: StrippedFile, *, colours: bool) -> Image.Image:
    """Apply the file's transparent colour, colour space and orientation."""
    colour_spaces = declared_spaces(stripped) if colours else []
    if stripped.contents:
        _scale_transparent_colour(picture, stripped.contents)
    result: Image.Image = picture
    if picture.mode.startswith("I"):
        result = _from_16_bits(picture, colour_spaces)
    elif colour_spaces:
        result = to_srgb(_to_convertible_mode(picture, stripped.contents), colour_spaces)
    turn = _TRANSPOSITIONS.get(orientation(stripped.exif, stripped.xmp))
    if turn is not None:
        return result.transpose(turn)
    return result.copy() if result is picture else result


def _to_convertible_mode(picture: Image.Image, contents: png.ImageData | None) -> Image.Image:
    """Return a copy in a mode whose colours can be converted, with alpha in a band of its own."""
    if contents and contents.colour_type == _GREY_ALPHA:
        return picture.convert("LA")  # Pillow decodes 16-bit ones as RGBA
    if picture.has_transparency_data:
        return picture.convert("LA" if picture.mode in {"L", "LA"} else "RGBA")
    if picture.mode in {"1", "L"}:
        return picture.convert("L")
    return picture.convert("CMYK" if picture.mode == "CMYK" else "RGB")


def _from_16_bits(picture: Image.Image, colours: list[ColourSpace]) -> Image.Image:
    grey = to_srgb(picture, colours)
    grey = grey if grey.mode == "L" else to_8_bits(grey)
    transparent = picture.info.get("transparency")
    if transparent is not None:
        table = [255] * 65536
        table[transparent] = 0
        grey = Image.merge("LA", (grey, picture.convert("I").point(table, "L")))
    return grey


def _scale_transparent_colour(picture: Image.Image, contents: png.ImageData) -> None:
    """Scale tRNS to the depth that Pillow converted the pixels to."""
    transparent = picture.info.get("transparency")
    if picture.mode == "L" and isinstance(transparent, int):
        picture.info["transparency"] = transparent * 255 // (2**contents.depth - 1)
    elif picture.mode == "RGB" and contents.depth == 16 and transparent is not None:  # noqa: PLR2004
        picture.info["transparency"] = tuple(value >> 8 for value in transparent)
