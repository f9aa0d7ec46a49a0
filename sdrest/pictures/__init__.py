"""Prepares uploaded pictures for the fork's scripts, and restores results to the upload's size."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.parameter_values import MAX_GENERATED_SIDE, SIZE_MULTIPLE
from sdrest.pictures import masks
from sdrest.pictures.colours import to_8_bits
from sdrest.pictures.decoding import (
    FORMATS,
    MAX_PADDING,
    MAX_SIDE,
    PictureError,
    Size,
    check_size,
    decode,
)
from sdrest.pictures.prepared import flatten, open_prepared, pad, write

__all__ = [
    "FORMATS",
    "IMAGE_NAME",
    "MASK_NAME",
    "MAX_SIDE",
    "SCRIPT_IMAGE_NAME",
    "SCRIPT_MASK_NAME",
    "PictureError",
    "fit",
    "prepare",
    "restore_outside",
    "script_input",
    "thumbnail",
]

IMAGE_NAME, MASK_NAME = "image.png", "mask.png"
"""The files that `prepare` writes."""

SCRIPT_IMAGE_NAME, SCRIPT_MASK_NAME = "image.png", "image_mask.png"
"""The files that `script_input` writes: a pair as inpaint.py looks for in its --indir."""


def prepare(uploads: Mapping[str, Path], target: Path, *, max_pixels: int) -> None:
    """Write the uploads `image` and perhaps `mask` as PNGs into the folder `target`.

    The image becomes RGB, sRGB, upright, transparent parts white, in the upload's size. The
    mask becomes L, 0 or 255, in the image's size; `masks` defines which pixels that are. Raises
    one `InvalidRequestError` for all uploads.
    """
    image: Image.Image | None = None
    mask: Image.Image | None = None
    errors: list[FieldError] = []
    for name in sorted(uploads):  # the image first, since a mask may be a copy of it
        try:
            if name == "mask":
                mask = _mask(uploads[name], image, max_pixels)
            else:
                image = flatten(decode(uploads[name], max_pixels=max_pixels)).convert("RGB")
        except PictureError as error:
            errors.append(FieldError(name, error.message))
    if mask and image:
        mask = masks.resize_to(mask, image.size)
        if masks.is_empty(mask):  # a dot that is lost when resized
            errors.append(FieldError("mask", masks.EMPTY))
    if errors or image is None:
        raise InvalidRequestError(errors)
    write(image, target / IMAGE_NAME)
    if mask:
        write(mask, target / MASK_NAME)


def _mask(path: Path, image: Image.Image | None, max_pixels: int) -> Image.Image:
    # Values of a mask are amounts, not colours: a profile would move values near the threshold.
    mask = masks.repainted_pixels(decode(path, max_pixels=max_pixels, colours=False), image)
    if masks.is_empty(mask):
        raise PictureError(masks.EMPTY)
    return mask


def fit(size: Size) -> Size:
    """Return the size, in multiples of 64, that is nearest to `size`; no side is below 64."""
    width, height = size
    return _nearest(width), _nearest(height)


def script_input(image: Path, mask: Path | None, folder: Path) -> Path:
    """Write the prepared pictures into `folder` in a size that the scripts take.

    An image alone is resampled to the nearest multiples of 64. With a mask both are padded to the
    next ones, so that every pixel keeps its value. Returns the written image's path; a mask is
    beside it, as inpaint.py expects.
    """
    path = folder / SCRIPT_IMAGE_NAME
    picture = open_prepared(image)
    if mask is None:
        write(picture.resize(fit(picture.size), Image.Resampling.LANCZOS), path)
    else:
        write(pad(picture), path)
        write(pad(open_prepared(mask)), folder / SCRIPT_MASK_NAME)
    return path


def restore_outside(
    result: Path, image: Path, mask: Path, target: Path, *, feather: int = 0
) -> None:
    """Write a script's result for a padded picture to `target`, in the upload's size.

    Pixels outside the mask are those of `image`, bit for bit; those less than `feather` pixels
    inside its edge are mixed (`masks.soften`). `target` may be `result`.
    """
    original = open_prepared(image)
    painted = open_prepared(result).convert("RGB").crop((0, 0, *original.size))
    opacity = masks.soften(open_prepared(mask), feather)
    write(Image.composite(painted, original, opacity), target)


def thumbnail(source: BinaryIO, side: int, *, max_pixels: int) -> bytes:
    """Return a smaller version of the PNG in `source`, with at most `side` pixels to a side.

    It has no metadata, and transparent parts are white. Raises `PictureError` if it cannot be
    decoded or has more pixels than a job's image can have; uploads have at most `max_pixels`.
    """
    most = max(max_pixels, MAX_GENERATED_SIDE**2) + MAX_PADDING
    try:
        with PngImageFile(source) as picture:
            check_size(picture.size, most)
            picture.load()
            small = to_8_bits(picture) if picture.mode.startswith("I") else flatten(picture)
    except PictureError:
        raise
    except Exception as error:  # decoders raise whatever a broken file makes them
        raise PictureError("The image is damaged. Request it without size.") from error
    small = small.convert("L" if small.mode in {"1", "L"} else "RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    write(small, written)
    return written.getvalue()


def _nearest(side: int) -> int:
    return max(1, (side + SIZE_MULTIPLE // 2) // SIZE_MULTIPLE) * SIZE_MULTIPLE
