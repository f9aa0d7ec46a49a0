"""Pictures as base64 in JSON, with or without `data:image/…;base64,` before it. Blocks."""

import base64
import binascii
from pathlib import Path

from PIL import Image

from sdrest.errors import FieldError, InvalidRequestError, TooLargeError
from sdrest.pictures import PictureError
from sdrest.pictures.decoding import decode as decode_file

_LINKS = ("http://", "https://")

NOT_PICTURE = "Invalid encoded image."


def decode(text: str, field: str, *, max_bytes: int) -> bytes:
    """Return the bytes of a picture; raises `InvalidRequestError`, `TooLargeError`.

    Blocks for about a second per 500 MB. What lies between the characters of base64 is skipped, as
    the web UI skips it.
    """
    start = text[:10].lower()
    if start.startswith(_LINKS):
        message = "Should be the picture in base64; addresses are not fetched."
        raise InvalidRequestError([FieldError(field, message)])
    if start.startswith("data:"):
        text = text.partition(",")[2]
    if len(text) // 4 * 3 > max_bytes + 3:
        message = f"{field}: Has more than {max_bytes // 2**20} MiB."
        raise TooLargeError(message, limit=max_bytes)
    try:
        return base64.b64decode(text.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidRequestError([FieldError(field, NOT_PICTURE)]) from None


def open_picture(
    path: str | Path, field: str, *, max_pixels: int, colours: bool = True
) -> Image.Image:
    """Decode the file of a picture; raises `InvalidRequestError`."""
    try:
        return decode_file(Path(path), max_pixels=max_pixels, colours=colours)
    except (PictureError, OSError) as error:
        message = error.message if isinstance(error, PictureError) else ""
        text = f"{NOT_PICTURE} {message}".strip()
        raise InvalidRequestError([FieldError(field, text)]) from None


def encode(data: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(data).decode("ascii")
