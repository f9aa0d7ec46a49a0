"""Reads a picture's orientation from its EXIF data or XMP text. Pure."""

import re
import struct

UPRIGHT = 1

_ORIENTATION, _SHORT = 0x0112, 3
_ENTRY = 12
_MAX_ENTRIES = 1024
_IN_XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """Return EXIF's orientation, 1 to 8; XMP's if EXIF has none, else 1.

    `exif` is a TIFF structure, of which only the first directory is read. Damage elsewhere is
    ignored.
    """
    value = _first_directory(exif)
    if value is None and (match := _IN_XMP.search(xmp)):
        value = int(match[1])
    return value if value and 1 <= value <= 8 else UPRIGHT  # noqa: PLR2004


def _first_directory(exif: bytes) -> int | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(min(count, _MAX_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(
                f"{order}HHIH", exif, start + 2 + number * _ENTRY
            )
            if tag == _ORIENTATION:
                return value if kind == _SHORT else None
    except struct.error:
        return None
    return None
