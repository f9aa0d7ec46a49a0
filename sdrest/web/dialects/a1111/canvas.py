"""The pictures of an `img2img` request on their way to a job, and its result on the way back.

`prepare` resizes, cuts out, fills and masks as the web UI does; `finish` undoes the padding and
puts what was repainted over the original. Both block; call them off the event loop.
"""

import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

from sdrest.pictures.prepared import flatten
from sdrest.web.dialects.a1111.base64_pictures import open_picture
from sdrest.web.dialects.a1111.fields import Img2Img
from sdrest.web.dialects.a1111.mapping import Plan

Box = tuple[int, int, int, int]
Size = tuple[int, int]

_OPAQUE = (255, 255)
_HALF = 128
_BLURS = (256, 64, 16, 4)
"""Radii in pixels with which known surroundings are smeared into the masked part."""

_COVER, _FIT = 1, 2
"""Values of `resize_mode`; 0 and 3 stretch."""

_GREY = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class Canvas:
    """Files of one source picture, and how a result of `size` becomes the answer.

    `image` and perhaps `mask` go to the job. With a mask the result, at `region` of `base` or in
    its full size, is put over `base` as far as `overlay` (L, 255: new) says.
    """

    image: Path
    size: Size
    mask: Path | None = None
    base: Path | None = None
    overlay: Path | None = None
    region: Box | None = None

    @property
    def uploads(self) -> dict[str, Path]:
        """The files that the job takes, by name."""
        return {"image": self.image} | ({"mask": self.mask} if self.mask else {})


def prepare(
    image: Path, mask: Path | None, wanted: Img2Img, plan: Plan, *, max_pixels: int
) -> Canvas:
    """Write the pictures of a job beside `image`, in multiples of 64.

    Raises `InvalidRequestError` for files that are not pictures.
    """
    picture = flatten(open_picture(image, "init_images", max_pixels=max_pixels)).convert("RGB")
    painted = _mask(mask, picture.size, wanted, max_pixels) if mask else None
    box = painted.getbbox() if painted else None
    if painted is None or box is None:  # a blank mask: the web UI goes on without it
        picture = _resize(picture, plan.size, wanted.resize_mode)
        return Canvas(_save(_padded(picture, plan.job_size), image, "image"), plan.size)
    region: Box | None = None
    if wanted.inpaint_full_res:
        region = _region(box, wanted.inpaint_full_res_padding, picture.size, plan.size)
        base, overlay = picture, painted
        picture = _resize(picture.crop(region), plan.size, _FIT)
        painted = _resize(painted.crop(region), plan.size, _FIT)
    else:
        base = picture = _resize(picture, plan.size, wanted.resize_mode)
        painted = _resize(painted, plan.size, wanted.resize_mode)
        overlay = painted = painted.point(lambda value: min(255, 2 * value))
    picture = _filled(picture, painted, wanted.inpainting_fill, plan.seed)
    touched = painted.point(lambda value: 255 * (value > 0))
    return Canvas(
        _save(_padded(picture, plan.job_size), image, "image"),
        plan.size,
        _save(_padded(touched, plan.job_size), image, "mask"),
        _save(base, image, "base"),
        _save(overlay, image, "overlay"),
        region,
    )


def finish(canvas: Canvas | None, result: Image.Image, size: Size) -> Image.Image:
    """Return the answer to a job's `result`, whose middle has `size`; it may be the result."""
    picture = _middle(result, size)
    if canvas is None or canvas.base is None or canvas.overlay is None:
        return picture
    base, overlay = _open(canvas.base), _open(canvas.overlay)
    if canvas.region:
        left, top, right, bottom = canvas.region
        over = base.copy()
        over.paste(_resize(picture, (right - left, bottom - top), _COVER), (left, top))
        picture = over
    return Image.composite(picture.convert("RGB"), base, overlay)


def _mask(path: Path, size: Size, wanted: Img2Img, max_pixels: int) -> Image.Image:
    """Return a mask in the picture's size, blurred: 255 is repainted."""
    mask = open_picture(path, "mask", max_pixels=max_pixels, colours=False)
    if mask.has_transparency_data:
        mask = mask.convert("RGBA")
    if mask.mode == "RGBA" and mask.getchannel("A").getextrema() != _OPAQUE:
        mask = mask.getchannel("A").point(lambda value: 255 * (value > _HALF))
    mask = mask.convert("L").resize(size, Image.Resampling.LANCZOS)
    if wanted.inpainting_mask_invert:
        mask = ImageOps.invert(mask)
    blur = wanted.mask_blur
    radius = (wanted.mask_blur_x, wanted.mask_blur_y) if blur is None else (blur, blur)
    return mask.filter(ImageFilter.GaussianBlur(radius)) if any(radius) else mask


def _region(box: Box, padding: int, image: Size, wanted: Size) -> Box:
    """Return the part of an image to cut out: the masked box, padded, in the shape of `wanted`."""
    left, top, right, bottom = box
    left, right = max(0, left - padding), min(image[0], right + padding)
    top, bottom = max(0, top - padding), min(image[1], bottom + padding)
    width, height = right - left, bottom - top
    left, right = _grown(left, right, height * wanted[0] // wanted[1], image[0])
    top, bottom = _grown(top, bottom, width * wanted[1] // wanted[0], image[1])
    return left, top, right, bottom


def _grown(low: int, high: int, length: int, limit: int) -> tuple[int, int]:
    """Grow a span to `length` around its middle, within 0 and `limit`; never shrink it."""
    length = min(max(length, high - low), limit)
    low = min(max(0, low - (length - (high - low)) // 2), limit - length)
    return low, low + length


def _resize(picture: Image.Image, size: Size, mode: int) -> Image.Image:
    lanczos = Image.Resampling.LANCZOS
    match mode:
        case _ if picture.size == size:
            return picture
        case 1:  # _COVER
            return ImageOps.fit(picture, size, lanczos)
        case 2:  # _FIT
            return _padded(ImageOps.contain(picture, size, lanczos), size)
        case _:
            return picture.resize(size, lanczos)


def _padded(picture: Image.Image, size: Size) -> Image.Image:
    """Put a picture into the middle of a larger one; its outermost pixels are repeated."""
    turn = Image.Transpose.TRANSPOSE
    wide = _widened(picture, size[0])
    return _widened(wide.transpose(turn), size[1]).transpose(turn)


def _widened(picture: Image.Image, width: int) -> Image.Image:
    if picture.width == width:
        return picture
    wide = Image.new(picture.mode, (width, picture.height))
    before = (width - picture.width) // 2
    after = before + picture.width
    first = picture.crop((0, 0, 1, picture.height))
    last = picture.crop((picture.width - 1, 0, picture.width, picture.height))
    wide.paste(first.resize((after, picture.height)))
    wide.paste(last.resize((width - before, picture.height)), (before, 0))
    wide.paste(picture, (before, 0))
    return wide


def _middle(picture: Image.Image, size: Size) -> Image.Image:
    if picture.size == size:
        return picture
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def _filled(picture: Image.Image, painted: Image.Image, fill: int, seed: int) -> Image.Image:
    """Return the picture with what its masked part starts from."""
    match fill:
        case 1:  # the picture itself
            return picture
        case 0:
            start = _smeared(picture, ImageOps.invert(painted))
        case 2:  # noise
            noise = random.Random(seed)  # noqa: S311 (no secret: the same seed gives the same)
            pixels = noise.randbytes(3 * picture.width * picture.height)
            start = Image.frombytes("RGB", picture.size, pixels)
        case _:  # nothing
            start = Image.new("RGB", picture.size, _GREY)
    return Image.composite(start, picture, painted)


def _smeared(picture: Image.Image, known: Image.Image) -> Image.Image:
    """Return the known pixels, blurred over the others; the nearest count most."""
    colours = picture.convert("RGBA")
    colours.putalpha(known)
    colours = colours.convert("RGBa")
    smeared = Image.new("RGBA", picture.size, (*_GREY, 255))
    for radius in _BLURS:
        blurred = colours.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        opaque = blurred.getchannel("A").point(lambda value: min(255, 4 * value))
        blurred.putalpha(opaque)
        smeared.alpha_composite(blurred)
    return smeared.convert("RGB")


def _save(picture: Image.Image, beside: Path, name: str) -> Path:
    path = beside.with_name(f"{beside.name}-{name}.png")
    picture.info.clear()
    picture.save(path, "PNG", compress_level=1)
    return path


def _open(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as picture:
        picture.load()
        return picture
