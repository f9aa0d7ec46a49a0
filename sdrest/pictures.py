"""Uploaded files become pictures that the fork's scripts can take, and results fit the upload.

A picture is recognised by its content and opened by an explicit list of decoders; whatever is
wrong with it is a `PictureError` with a sentence for the client.
"""

import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from sdrest.errors import FieldError, InvalidRequestError, SdrestError
from sdrest.params import LARGEST_SIDE, SIZE_MULTIPLE

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""Pillow's decoders that an upload may reach; it has forty more, one of them a PostScript."""

MAX_SIDE = 16_384
"""Longest side in pixels: a picture of one pixel's width would else grow 64 times when fitted."""

_MOST_PADDING = 2 * SIZE_MULTIPLE * (MAX_SIDE + SIZE_MULTIPLE)
"""More pixels than `script_input` adds to any picture."""

THRESHOLD = 128
"""Mask pixels from this on are repainted; inpaint.py draws the line at 0.5 of 255."""

IMAGE_NAME, MASK_NAME = "image.png", "mask.png"
"""The files that `prepare` writes."""

SCRIPT_IMAGE_NAME, SCRIPT_MASK_NAME = "image.png", "image_mask.png"
"""The files that `script_input` writes: a pair as inpaint.py looks for in its --indir."""

Size = tuple[int, int]

# Between its limit and twice as much Pillow only warns; here the limit is the limit.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class PictureError(SdrestError):
    """The file cannot be used as a picture."""

    default_message = "The file is no picture that can be used."


def prepare(uploads: Mapping[str, Path], target: Path, *, max_pixels: int) -> None:
    """Write the uploads `image` and perhaps `mask` as PNGs into the folder `target`.

    The image becomes RGB, upright, transparent parts white, in the size that was sent. The mask
    becomes L, 0 or 255, in the image's size. Raises one `InvalidRequestError` for all uploads.
    """
    pictures: dict[str, Image.Image] = {}
    errors: list[FieldError] = []
    for name, path in uploads.items():
        mode, background = ("L", "black") if name == "mask" else ("RGB", "white")
        try:
            picture = _read(path, background, max_pixels=max_pixels)
        except PictureError as error:
            errors.append(FieldError(name, error.message))
        else:
            pictures[name] = picture.convert(mode)
    if errors:
        raise InvalidRequestError(errors)
    _write(pictures["image"], target / IMAGE_NAME)
    if "mask" in pictures:
        fitted = pictures["mask"].resize(pictures["image"].size, Image.Resampling.BILINEAR)
        _write(fitted.point(_threshold), target / MASK_NAME)


def fit(size: Size) -> Size:
    """Return the size, in multiples of 64, that is nearest to `size`; no side is below 64."""
    width, height = size
    return _nearest(width), _nearest(height)


def script_input(image: Path, mask: Path | None, folder: Path) -> Path:
    """Write the prepared pictures into `folder` in a size that the scripts take.

    An image alone (img2img.py) is resampled to the nearest multiples of 64. With a mask
    (inpaint.py) both are padded to the next ones, so that each pixel stays the one that was sent.
    Returns the written image's path; a mask lies beside it, as inpaint.py expects.
    """
    path = folder / SCRIPT_IMAGE_NAME
    picture = _open_prepared(image)
    if mask is None:
        _write(picture.resize(fit(picture.size), Image.Resampling.LANCZOS), path)
    else:
        _write(_pad(picture), path)
        _write(_pad(_open_prepared(mask)), folder / SCRIPT_MASK_NAME)
    return path


def restore_inpainted(result: Path, image: Path, mask: Path, target: Path) -> None:
    """Write what inpaint.py made of a padded picture to `target`, in the size that was sent.

    Pixels outside the mask are those of `image`, bit for bit. `target` may be `result`.
    """
    original = _open_prepared(image)
    painted = _open_prepared(result).convert("RGB").crop((0, 0, *original.size))
    _write(Image.composite(painted, original, _open_prepared(mask)), target)


def thumbnail(source: BinaryIO, side: int, *, max_pixels: int) -> bytes:
    """Return a PNG of the one in `source`, no side of which has more than `side` pixels.

    Pixels alone: no text, transparent parts white. Raises `PictureError` for what cannot be decoded
    or has more pixels than images of jobs have, whose uploads have at most `max_pixels`.
    """
    most = max(max_pixels, LARGEST_SIDE**2) + _MOST_PADDING
    try:
        with PngImageFile(source) as picture:
            _check_size(picture.size, most)
            picture.load()
            small = _flatten(picture, "white")
    except PictureError:
        raise
    except Exception as error:  # decoders raise whatever a broken file makes them
        raise PictureError("The image is damaged; it can only be had as it is.") from error
    small = small.convert("L" if small.mode in {"1", "L"} else "RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    _write(small, written)
    return written.getvalue()


def _nearest(side: int) -> int:
    return max(1, (side + SIZE_MULTIPLE // 2) // SIZE_MULTIPLE) * SIZE_MULTIPLE


def _padded(side: int) -> int:
    return -(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE


def _pad(picture: Image.Image) -> Image.Image:
    """Repeat the last column and the last row up to multiples of 64."""
    width, height = picture.size
    size = _padded(width), _padded(height)
    if size == picture.size:
        return picture
    padded = picture.crop((0, 0, *size))
    column = padded.crop((width - 1, 0, width, height))
    padded.paste(column.resize((size[0] - width + 1, height)), (width - 1, 0))
    row = padded.crop((0, height - 1, size[0], height))
    padded.paste(row.resize((size[0], size[1] - height + 1)), (0, height - 1))
    return padded


def _read(path: Path, background: str, *, max_pixels: int) -> Image.Image:
    """Decode an upload, upright and opaque; size and format are known before any pixel is."""
    # Decoders such as GIF's reserve memory when they open. The limit holds for all of Pillow, which
    # later pads a picture that was just small enough.
    Image.MAX_IMAGE_PIXELS = max_pixels + _MOST_PADDING
    try:
        with Image.open(path, formats=FORMATS) as picture:
            _check_size(picture.size, max_pixels)
            picture.load()
            return _flatten(_upright(picture), background)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"Has too many pixels. {_allowed(max_pixels)}") from None
    except UnidentifiedImageError:
        raise PictureError("Is not a PNG, JPEG, WebP, GIF or BMP image.") from None
    except PictureError:
        raise
    except Exception as error:  # decoders raise whatever a broken file makes them
        raise PictureError("Is a damaged or incomplete image.") from error


def _check_size(size: Size, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels or max(size) > MAX_SIDE:
        raise PictureError(f"Has {width}x{height} pixels. {_allowed(max_pixels)}")


def _allowed(max_pixels: int) -> str:
    return f"At most {max_pixels} pixels, and {MAX_SIDE} to a side, are allowed."


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 (broken EXIF data does not make the pixels worse)
        return picture.copy()


def _flatten(picture: Image.Image, background: str) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey; convert() alone would cut, not scale
        return picture.convert("I").point(_to_8_bits).convert("L")
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    flat = Image.new("RGB", picture.size, background)
    flat.paste(picture, mask=picture)
    return flat


def _open_prepared(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as picture:
        picture.load()
        return picture


def _write(picture: Image.Image, path: Path | BinaryIO) -> None:
    """Write a PNG of pixels alone (no EXIF, no profile), quickly rather than small."""
    picture.info.clear()
    picture.save(path, format="PNG", compress_level=1)


def _scale_to_8_bits(value: float) -> float:
    return value * (1 / 257) + 0.5


# Pillow derives a linear transform of wide pixels from such functions; its types know tables only.
_to_8_bits: Callable[[int], float] = _scale_to_8_bits


def _threshold(value: int) -> int:
    return 255 if value >= THRESHOLD else 0
