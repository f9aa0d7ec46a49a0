"""Pictures as base64 in JSON, with or without `data:image/…;base64,` before it."""

import base64
import binascii
from pathlib import Path

from sdrest.errors import FieldError, InvalidRequestError, TooLargeError

_LINKS = ("http://", "https://")
_NOT_BASE64 = "Invalid encoded image"


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
        raise InvalidRequestError([FieldError(field, _NOT_BASE64 + ".")]) from None


def encode(path: Path) -> str:
    """Return a file's bytes as base64."""
    return base64.b64encode(path.read_bytes()).decode("ascii")
