"""Reads and writes the chunks of PNG files. Pure; does not decode pixels."""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first bytes of every PNG."""

_CHUNK_HEAD = 8  # length (4 bytes, big-endian), then type
_CHUNK_FRAME = 12  # the head, and the checksum behind the data
_SIZE_END = len(SIGNATURE) + _CHUNK_HEAD + 8  # IHDR begins with width and height, 4 bytes each
_HEADER_SIZE = 13
_PALETTE_TYPE = 3  # IHDR's colour type of images whose pixels are numbers of PLTE's colours
_MAX_COLOURS = 256
_ANCILLARY = 0x20  # this bit of a type's first byte, which makes the letter small

_BEFORE_PIXELS = frozenset({b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})
_ANYWHERE = frozenset({b"eXIf"})
_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_KEYWORDS = frozenset({b"Raw profile type exif", b"XML:com.adobe.xmp"})
_MAX_KEYWORD = 79
_MAX_TEXT = 1024 * 1024

_USED = _BEFORE_PIXELS | _ANYWHERE | _TEXTS
_HEAD = struct.Struct(">I4s")
_CRITICAL = re.compile(rb"PLTE|IDAT|IEND")
_MAX_CANDIDATES = 64

ReadAt = Callable[[int, int], bytes]
"""Takes a position and a length; returns the bytes there, fewer at the end of the file."""


class BrokenPngError(ValueError):
    """The file is not a PNG, or a critical chunk is damaged or missing."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, and the position of its data in the file."""

    kind: bytes
    data_start: int
    data_end: int

    @property
    def start(self) -> int:
        """Where the chunk begins, with its length."""
        return self.data_start - _CHUNK_HEAD

    @property
    def end(self) -> int:
        """Where the next chunk begins."""
        return self.data_end + _CHUNK_FRAME - _CHUNK_HEAD


def chunks(read: ReadAt, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a file of `size` bytes, from IHDR to IEND. Reads 8 bytes of each.

    Raises `BrokenPngError` if a chunk is incomplete.
    """
    if read(0, len(SIGNATURE)) != SIGNATURE:
        raise BrokenPngError
    position = len(SIGNATURE)
    expected = b"IHDR"
    while True:
        head = read(position, _CHUNK_HEAD)
        start = position + _CHUNK_HEAD
        chunk = Chunk(head[4:], start, start + int.from_bytes(head[:4], "big"))
        if len(head) < _CHUNK_HEAD or chunk.end > size or (expected and chunk.kind != expected):
            raise BrokenPngError
        yield chunk
        if chunk.kind == b"IEND":
            return
        position, expected = chunk.end, b""


def size(read: ReadAt) -> tuple[int, int]:
    """Return width and height in pixels; raises `BrokenPngError`."""
    head = read(0, _SIZE_END)
    if len(head) < _SIZE_END or not head.startswith(SIGNATURE) or head[12:16] != b"IHDR":
        raise BrokenPngError
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


@dataclass(frozen=True, slots=True)
class ImageData:
    """The chunks that determine an image's pixels.

    `ancillary` holds the data of chunks on transparency, colours and orientation by type, `texts`
    the texts that may hold an orientation by keyword.
    """

    header: bytes
    palette: bytes
    pixels: bytes
    ancillary: Mapping[bytes, bytes] = field(default_factory=dict)
    texts: Mapping[bytes, bytes] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Bits of a sample, or of a palette's index."""
        return self.header[8]

    @property
    def colour_type(self) -> int:
        """0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha."""
        return self.header[9]

    @property
    def transparency(self) -> bytes:
        """The data of tRNS; empty if it is missing or invalid."""
        data = self.ancillary.get(b"tRNS", b"")
        limit = {0: 2, 2: 6, _PALETTE_TYPE: len(self.palette) // 3}.get(self.colour_type, 0)
        fits = len(data) <= limit if self.colour_type == _PALETTE_TYPE else len(data) == limit
        return data if fits else b""

    def encode(self) -> bytes:
        """Return a PNG of the pixels and their transparency, with one IDAT."""
        parts = [(b"IHDR", self.header)]
        if self.palette:
            parts.append((b"PLTE", self.palette))
        if self.transparency:
            parts.append((b"tRNS", self.transparency))
        parts += [(b"IDAT", self.pixels), (b"IEND", b"")]
        return SIGNATURE + b"".join(piece for part in parts for piece in _chunk(*part))


def read_image_data(data: bytes) -> ImageData:
    """Return the chunks that determine the pixels of the PNG `data`.

    Raises `BrokenPngError` if a critical chunk is damaged or missing. Ancillary chunks that are
    damaged, unknown or misplaced are left out, as is everything after IEND. Of several chunks of
    one type the first counts.
    """
    found: dict[bytes, bytes] = {}
    texts: dict[bytes, bytes] = {}
    pixels: list[memoryview] = []
    for kind, content in _valid_chunks(data):
        if kind == b"IDAT":
            if content:
                pixels.append(content)
        elif kind in _ANYWHERE or (not pixels and kind in {b"IHDR", b"PLTE", *_BEFORE_PIXELS}):
            found.setdefault(kind, bytes(content))
        elif kind in _TEXTS:
            keyword = bytes(content[: _MAX_KEYWORD + 1]).partition(b"\0")[0]
            if keyword in _KEYWORDS and keyword not in texts:
                texts[keyword] = _text(kind, bytes(content[len(keyword) + 1 :]))
    header, palette = found.pop(b"IHDR"), found.pop(b"PLTE", b"")
    result = ImageData(header, palette, b"".join(pixels), found, texts)
    if len(header) != _HEADER_SIZE or not pixels:
        raise BrokenPngError
    if result.colour_type == _PALETTE_TYPE and not 1 <= len(palette) / 3 <= _MAX_COLOURS:
        raise BrokenPngError
    return result


def inflate(data: bytes, limit: int) -> bytes:
    """Return decompressed data, or nothing if they are damaged or more than `limit` bytes."""
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, limit)
    except zlib.error:
        return b""
    return inflated if stream.eof else b""


def _valid_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield type and data of each used chunk with a valid checksum, up to IEND.

    After an ancillary chunk with a wrong length the position of the next one is unknown; then the
    next valid critical chunk is searched for. Unused chunks are skipped without a check, since
    there may be millions.
    """
    view = memoryview(data)
    position = len(SIGNATURE)
    if not data.startswith(SIGNATURE) or data[position + 4 : position + _CHUNK_HEAD] != b"IHDR":
        raise BrokenPngError
    optional = position  # where the ancillary chunks before this one begin
    last = len(data) - _CHUNK_FRAME
    while True:
        length, kind = _HEAD.unpack_from(data, position) if position <= last else (0, b"")
        if kind.isalpha() and kind[0] & _ANCILLARY:
            if kind in _USED:
                valid = _chunk_at(view, position)
                if valid is not None:
                    yield kind, valid
            position += length + _CHUNK_FRAME
            continue
        valid = _chunk_at(view, position)
        if valid is None:
            position = optional = _find_critical_chunk(data, optional, position)
            continue
        yield kind, valid
        if kind == b"IEND":
            return
        position = optional = position + length + _CHUNK_FRAME


def _chunk_at(view: memoryview, position: int) -> memoryview | None:
    """Return the data of the chunk at a position, or None if it is incomplete or damaged."""
    start = position + _CHUNK_HEAD
    end = start + int.from_bytes(view[position : position + 4], "big")
    if end + _CHUNK_FRAME - _CHUNK_HEAD > len(view) or not bytes(view[start - 4 : start]).isalpha():
        return None
    checksum = int.from_bytes(view[end : end + 4], "big")
    return view[start:end] if zlib.crc32(view[start - 4 : end]) == checksum else None


def _find_critical_chunk(data: bytes, start: int, end: int) -> int:
    """Return the position of a valid critical chunk after the first damaged one from `start` on.

    Raises `BrokenPngError` if there is none, or if all chunks from `start` to `end` are valid.
    """
    view = memoryview(data)
    while start < end and (valid := _chunk_at(view, start)) is not None:
        start += len(valid) + _CHUNK_FRAME
    if start >= end:
        raise BrokenPngError
    for match in islice(_CRITICAL.finditer(data, start + _CHUNK_HEAD), _MAX_CANDIDATES):
        if _chunk_at(view, match.start() - 4) is not None:
            return match.start() - 4
    raise BrokenPngError


def _text(kind: bytes, data: bytes) -> bytes:
    """Return the text after a keyword; empty if it is damaged or too long."""
    if kind == b"tEXt":
        return data[:_MAX_TEXT]
    if kind == b"zTXt":
        return inflate(data[1:], _MAX_TEXT) if data[:1] == b"\0" else b""
    text = data[2:].split(b"\0", 2)[-1]  # behind two flags, a language and a translated keyword
    return inflate(text, _MAX_TEXT) if data[:1] == b"\1" else text[:_MAX_TEXT]


def _chunk(kind: bytes, data: bytes) -> Iterator[bytes]:
    yield len(data).to_bytes(4, "big") + kind
    yield data
    yield zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")
