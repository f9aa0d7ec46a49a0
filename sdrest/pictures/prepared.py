"""What prepared pictures have in common: no transparency, multiples of 64, no metadata."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sdrest.parameter_values import next_multiple


def pad(picture: Image.Image) -> Image.Image:
    """Repeat the last column and the last row up to multiples of 64."""
    width, height = picture.size
    size = next_multiple(width), next_multiple(height)
    if size == picture.size:
        return picture
    padded = picture.crop((0, 0, *size))
    column = padded.crop((width - 1, 0, width, height))
    padded.paste(column.resize((size[0] - width + 1, height)), (width - 1, 0))
    row = padded.crop((0, height - 1, size[0], height))
    padded.paste(row.resize((size[0], size[1] - height + 1)), (0, height - 1))
    return padded


def flatten(picture: Image.Image) -> Image.Image:
    """Return the picture on a white background."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture)
    return flat


def open_prepared(path: Path) -> Image.Image:
    """Return a PNG that `write` has written, or a script."""
    with Image.open(path, formats=("PNG",)) as picture:
        picture.load()
        return picture


def write(picture: Image.Image, path: Path | BinaryIO) -> None:
    """Write a PNG without metadata; fast compression, since scripts read it once."""
    picture.info.clear()
    picture.save(path, format="PNG", compress_level=1)
