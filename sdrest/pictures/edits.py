"""Prepares a picture that a client wants to have changed: its size, and what is repainted."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PIL import Image, ImageOps

from sdrest.errors import FieldError, InvalidRequestError
from sdrest.parameter_values import MAX_GENERATED_SIDE
from sdrest.params import MIN_AREA
from sdrest.pictures.decoding import PictureError, Size, decode
from sdrest.pictures.masks import THRESHOLD
from sdrest.pictures.prepared import flatten, pad, write

OPAQUE_MASK = (
    "Has no transparent part. Here the transparent parts of a mask are repainted; in a mask for "
    "/image-to-image it is the white ones. Make the white parts transparent, or use that route."
)

TOO_NARROW = (
    f"Is too narrow: in at most {MAX_GENERATED_SIDE} pixels to a side it has less than 256x256 in "
    "area. Name a size, or send another picture."
)

_MOST_PIXELS = 1024 * 1024
"""Pixels of the largest picture whose size is kept where the client leaves the size open.

The smallest has `MIN_AREA`.
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """What `prepare_edit` has written.

    `size` is that of the answer. `uploads` are the files for the job, by name. `is_cropped`: the
    picture had another shape than `size`, so parts of it at two edges are gone. `is_reduced`: it
    was too large for a request that leaves the size open, `is_enlarged`: too small. `from_image`:
    the mask is the transparent part of the picture itself.
    """

    size: Size
    uploads: dict[str, Path]
    is_cropped: bool = False
    is_reduced: bool = False
    is_enlarged: bool = False
    from_image: bool = False


def prepare_edit(
    image: Path, mask: Path | None, size: Size | None, folder: Path, *, max_pixels: int
) -> Edit:
    """Write an image, and the mask if there is one, into `folder` in `size`. May block.

    Fully transparent parts are repainted: of the mask, or of the image where no mask is given.
    Without any the image is padded to multiples of 64, at the right and at the bottom. Raises
    `InvalidRequestError`.
    """
    picture = _decode("image", image, max_pixels)
    hole: Image.Image | None
    if mask is None:
        hole = _transparent(picture)
    else:
        hole = _transparent(_decode("mask", mask, max_pixels, colours=False))
        if hole is None:
            raise InvalidRequestError([FieldError("mask", OPAQUE_MASK)])
        hole = hole.resize(picture.size, Image.Resampling.NEAREST)
    wanted = size or _open_size(picture.size)
    fitted = ImageOps.fit(flatten(picture).convert("RGB"), wanted, Image.Resampling.LANCZOS)
    uploads = {"image": folder / "edit.png"}
    write(fitted if hole else pad(fitted), uploads["image"])
    if hole is not None:
        uploads["mask"] = folder / "edit-mask.png"
        write(ImageOps.fit(hole, wanted, Image.Resampling.NEAREST), uploads["mask"])
    return Edit(
        size=wanted,
        uploads=uploads,
        is_cropped=not _same_shape(picture.size, wanted),
        is_reduced=size is None and wanted < picture.size,
        is_enlarged=size is None and wanted > picture.size,
        from_image=mask is None and hole is not None,
    )


def _decode(name: str, path: Path, max_pixels: int, *, colours: bool = True) -> Image.Image:
    try:
        return decode(path, max_pixels=max_pixels, colours=colours)
    except PictureError as error:
        raise InvalidRequestError([FieldError(name, error.message)]) from error


def _transparent(picture: Image.Image) -> Image.Image | None:
    """Return a mask (L) that is white where a picture is transparent; None if it is nowhere."""
    if not picture.has_transparency_data:
        return None
    alpha = picture.convert("RGBA").getchannel("A")
    hole = alpha.point([255 * (value < THRESHOLD) for value in range(256)])
    return hole if hole.getbbox() else None


def _open_size(size: Size) -> Size:
    """Return the size of the answer to a picture where the client leaves it open, in its shape.

    Raises `InvalidRequestError` for a shape that the models cannot make.
    """
    width, height = size
    area = width * height
    if area < MIN_AREA:
        scale = (MIN_AREA / area) ** 0.5
        width, height = ceil(width * scale), ceil(height * scale)
    else:
        scale = min(1.0, (_MOST_PIXELS / area) ** 0.5, MAX_GENERATED_SIDE / max(size))
        width, height = int(width * scale), int(height * scale)
    if max(width, height) > MAX_GENERATED_SIDE or width * height < MIN_AREA:
        raise InvalidRequestError([FieldError("image", TOO_NARROW)])
    return width, height


def _same_shape(size: Size, other: Size) -> bool:
    """Whether two sizes have the same ratio, as far as whole pixels allow."""
    expected = size[1] * other[0] / size[0]
    return abs(expected - other[1]) <= 1
