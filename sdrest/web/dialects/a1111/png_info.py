"""What a picture says of its making: the answer to `png-info`. Pure."""

import io
from typing import Any

from PIL import ExifTags, Image

from sdrest import infotext
from sdrest.metadata import PARAMETERS
from sdrest.pictures import FORMATS, PictureError

_NOT_PICTURE = "Invalid encoded image"
_CODE_SIZE = 8
"""Bytes before a comment in EXIF that name its encoding."""


def settings_of(data: bytes) -> dict[str, Any]:
    """Return `info` (the text of the chunk `parameters`), `items` (other texts), `parameters`.

    JPEG and WebP have the text in EXIF's UserComment. No pixels are decoded. Raises `PictureError`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            texts = {
                str(name): str(value)
                for name, value in picture.info.items()
                if isinstance(value, str)
            }
            comment = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    except Exception as error:  # decoders raise whatever a broken file makes them
        raise PictureError(_NOT_PICTURE) from error
    text = texts.pop(PARAMETERS, "")
    if not text and isinstance(comment, bytes):
        text = _comment(comment)
    parameters = infotext.read(text).parameters() if text else {}
    return {"info": text, "items": texts, "parameters": parameters}


def _comment(value: bytes) -> str:
    """Return a comment of EXIF, which names its encoding in its first bytes."""
    code, rest = value[:_CODE_SIZE], value[_CODE_SIZE:]
    if code.startswith(b"UNICODE"):
        return rest.decode("utf-16-be", "replace")
    return rest.decode("utf-8", "replace").strip("\0")
