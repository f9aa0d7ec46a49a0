"""Resizing of pictures by Pillow, for `extra-single-image` and `extra-batch-images`. Pure."""

from PIL import Image, ImageOps

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.pictures import MAX_SIDE
from sdrest.web.dialects.a1111.fields import Upscale

METHODS = {
    "none": Image.Resampling.LANCZOS,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}
"""The filters by the upscalers' names."""

_TO_SIZE = 1
"""The `resize_mode` that asks for a size; the other one asks for a factor."""


def check(wanted: Upscale) -> None:
    """Raise `InvalidRequestError` for an upscaler that is not here."""
    if wanted.upscaler_1.lower() not in METHODS:
        message = f"There is no upscaler {wanted.upscaler_1}. Use None, Lanczos or Nearest."
        raise InvalidRequestError([FieldError("upscaler_1", message)])


def upscale(picture: Image.Image, wanted: Upscale, *, max_pixels: int) -> Image.Image:
    """Return a picture in the size that is asked for; raises `InvalidRequestError`."""
    method = METHODS[wanted.upscaler_1.lower()]
    if wanted.resize_mode == _TO_SIZE:
        size = wanted.upscaling_resize_w, wanted.upscaling_resize_h
        if not wanted.upscaling_crop:
            scale = min(size[0] / picture.width, size[1] / picture.height)
            size = _scaled(picture.size, scale)
    else:
        size = _scaled(picture.size, wanted.upscaling_resize)
    if size[0] * size[1] > max_pixels or max(size) > MAX_SIDE:
        message = f"The result would have {size[0]}x{size[1]} pixels, more than is allowed."
        raise InvalidRequestError([FieldError("upscaling_resize", message)])
    return ImageOps.fit(picture, size, method)


def notes(wanted: Upscale) -> str:
    """Return what was ignored, as the answer's `html_info`."""
    names = {"GFPGAN": wanted.gfpgan_visibility, "CodeFormer": wanted.codeformer_visibility}
    return "".join(f"<p>{name} is not available.</p>" for name, value in names.items() if value)


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, int(size[0] * factor)), max(1, int(size[1] * factor))
