"""Separates a file's metadata from its pixels. Pure; knows containers, not pixels.

Damaged metadata must not prevent intact pixels from being decoded. So files are decoded without
metadata, and the metadata that affect the picture are returned beside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sdrest import png

MAX_PROFILE_BYTES = 16 * 1024 * 1024
"""Limit of an ICC profile; profiles of printers have about 3 MB."""

_JPEG, _RIFF = b"\xff\xd8\xff", b"RIFF"
_GIF = (b"GIF87a", b"GIF89a")
_GIF_HEAD, _GIF_CONTROL = 13, 8

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
_ICC_HEAD = len(_ICC) + 2  # then a segment's number, from 1, and how many there are

_FILL, _SOI, _EOI, _SOS = 0xFF, 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_NEEDED = {*range(0xC0, 0xD0), *range(0xDB, _APP0)}  # markers of tables and frames
_MIN_JFIF, _MIN_ADOBE = 14, 12

_MAX_PARTS = 100_000
"""Limit of segments or chunks; pictures have some hundreds."""

_MAX_BLOCKS = 1_000_000
"""Limit of a GIF's extension blocks, of up to 255 bytes each."""

_WEBP_METADATA = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}
"""WebP's metadata chunks, and their flags in VP8X."""

_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """A file without metadata, and the metadata that affect its picture.

    `exif` is a TIFF structure, `icc` a profile, `contents` holds a PNG's chunks on colours.
    """

    file: bytes
    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    contents: png.ImageData | None = None


def strip_metadata(data: bytes) -> StrippedFile:
    """Return a file's bytes without metadata; unknown formats stay unchanged.

    Raises `BrokenPngError` for a PNG whose critical chunks are damaged.
    """
    if data.startswith(png.SIGNATURE):
        return _png(png.read_image_data(data))
    if data.startswith(_JPEG):
        return _jpeg(data)
    if data.startswith(_RIFF) and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith(_GIF):
        return StrippedFile(_gif(data))
    return StrippedFile(data)


def _png(contents: png.ImageData) -> StrippedFile:
    exif = contents.ancillary.get(b"eXIf", b"") or _decode_hexadecimal(
        contents.texts.get(b"Raw profile type exif", b"")
    )
    return StrippedFile(
        contents.encode(),
        exif=exif.removeprefix(_EXIF),
        xmp=contents.texts.get(b"XML:com.adobe.xmp", b""),
        icc=_png_profile(contents.ancillary.get(b"iCCP", b"")),
        contents=contents,
    )


def _png_profile(data: bytes) -> bytes:
    """Return the profile of an iCCP chunk: a name, a method, which is 0, and compressed data."""
    compressed = data.partition(b"\0")[2]
    return png.inflate(compressed[1:], MAX_PROFILE_BYTES) if compressed[:1] == b"\0" else b""


def _decode_hexadecimal(text: bytes) -> bytes:
    """Return the data of a profile as ImageMagick writes it in a text: two lines, then digits."""
    try:
        return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))
    except ValueError:
        return b""


def _jpeg(data: bytes) -> StrippedFile:
    """Remove APPn and comments except JFIF and Adobe, from which decoders take the colour space.

    Without the index of several pictures (MPF) only the first one is decoded.
    """
    parts: list[bytes] = [data[:2]]
    exif, xmp = b"", b""
    profile: list[bytes] = []
    for marker, segment in _segments(data):
        content = segment[4:]
        if marker == _APP1 and content.startswith(_EXIF):
            exif = exif or content[len(_EXIF) :]
        elif marker == _APP1 and content.startswith(_XMP):
            xmp = xmp or content[len(_XMP) :]
        elif marker == _APP2 and content.startswith(_ICC):
            profile.append(content)
        elif not _is_metadata(marker, content):
            parts.append(segment)
    return StrippedFile(b"".join(parts), exif, xmp, _join_profile(profile))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield markers and segments; the last one is the scan with everything after it.

    Bytes outside of segments are skipped, including previews inside metadata with a wrong length.
    """
    position = 2
    for _ in range(_MAX_PARTS):
        start = data.find(b"\xff", position)
        if start < 0 or start + 4 > len(data):
            return
        marker = data[start + 1]
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == _FILL:
            position = start + 1
        elif marker == _SOI:
            end = data.find(b"\xff\xd9", start)
            position = end + 2 if end > 0 else len(data)
        elif marker == _SOS:
            yield marker, data[start:]
            return
        elif _APP0 <= marker <= _APP15 or marker == _COM:
            complete = end <= len(data) and data[end : end + 1] == b"\xff" and end >= start + 4
            if complete:
                yield marker, data[start:end]
            position = end if complete else start + 4
        elif marker in _NEEDED and end >= start + 4:
            yield marker, data[start:end]
            position = end
        else:
            position = start + 2


def _is_metadata(marker: int, content: bytes) -> bool:
    if marker == _APP0:
        return not (content.startswith(b"JFIF\0") and len(content) >= _MIN_JFIF)
    if marker == _APP14:
        return not (content.startswith(b"Adobe") and len(content) >= _MIN_ADOBE)
    return _APP0 <= marker <= _APP15 or marker == _COM


def _join_profile(parts: list[bytes]) -> bytes:
    """Return the profile that the segments hold; empty if one is missing."""
    parts = sorted(part for part in parts if len(part) > _ICC_HEAD)
    numbers = [part[len(_ICC)] for part in parts]
    if numbers != list(range(1, len(parts) + 1)) or {part[13] for part in parts} != {len(parts)}:
        return b""
    return b"".join(part[_ICC_HEAD:] for part in parts)


def _webp(data: bytes) -> StrippedFile:
    parts: list[bytes] = []
    metadata: dict[bytes, bytes] = {}
    position = 12
    for _ in range(_MAX_PARTS):
        if position + 8 > len(data):
            break
        kind = data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        content = data[position + 8 : position + 8 + size]
        complete = len(content) == size
        position += 8 + size + size % 2
        if kind in _WEBP_METADATA and complete:
            metadata.setdefault(kind, content)
        if kind not in _WEBP_PIXELS:
            continue
        if kind == b"VP8X" and content:
            content = bytes([content[0] & ~sum(_WEBP_METADATA.values())]) + content[1:]
        parts.append(kind + size.to_bytes(4, "little") + content + b"\0" * (complete and size % 2))
    chunks = b"WEBP" + b"".join(parts)
    profile = metadata.get(b"ICCP", b"")
    return StrippedFile(
        _RIFF + len(chunks).to_bytes(4, "little") + chunks,
        metadata.get(b"EXIF", b"").removeprefix(_EXIF),
        metadata.get(b"XMP ", b""),
        profile if len(profile) <= MAX_PROFILE_BYTES else b"",
    )


def _gif(data: bytes) -> bytes:
    """Remove extensions before the first picture, except a valid one on its transparency."""
    flags = int.from_bytes(data[10:11])
    start = position = _GIF_HEAD + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    control = b""
    parts = 0
    while data[position : position + 1] == b"!" and parts < _MAX_BLOCKS:
        label, first = data[position + 1 : position + 2], position
        position += 2
        while position < len(data) and data[position] and parts < _MAX_BLOCKS:
            position += 1 + data[position]
            parts += 1
        position += 1
        parts += 1
        if label == b"\xf9":
            block = data[first:position]
            control = block if len(block) == _GIF_CONTROL else b""
    return data[:start] + control + data[position:]
