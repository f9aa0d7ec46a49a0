"""PNGs chunk by chunk, and the text in them, read without the code under test."""

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
OURS = (b"parameters\0", b"sdrest\0")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def chunk(
    kind: bytes, data: bytes = b"", *, length: int | None = None, crc: int | None = None
) -> bytes:
    """Return a chunk; `length` and `crc` are what it says of itself, if that is not so."""
    length = len(data) if length is None else length
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", length) + kind + data + struct.pack(">I", crc)


def header(
    size: tuple[int, int], depth: int = 8, colour_type: int = 2, interlace: int = 0
) -> bytes:
    """Return IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, interlace))


def pixels(rows: Iterable[bytes]) -> bytes:
    """Return the data of IDAT for rows of samples, without filters."""
    return zlib.compress(b"".join(b"\0" + row for row in rows))


def png(*chunks: bytes, end: bytes = chunk(b"IEND")) -> bytes:
    """Return a PNG of chunks, and IEND."""
    return SIGNATURE + b"".join(chunks) + end


def flat(
    colour: bytes = b"\xc8\x28\x28",
    before: bytes = b"",
    after: bytes = b"",
    *,
    size: tuple[int, int] = (8, 8),
    colour_type: int = 2,
    depth: int = 8,
) -> bytes:
    """Return a PNG whose pixels are all the samples `colour`, with chunks around IDAT."""
    width, height = size
    row = colour * (width * min(depth, 8) // 8)
    data = chunk(b"IDAT", pixels([row] * height))
    return png(header(size, depth, colour_type), before, data, after)


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and data of each chunk; whatever is wrong with the frame fails the test."""
    assert content.startswith(SIGNATURE)
    rest = content[len(SIGNATURE) :]
    kind = b""
    while kind != b"IEND":
        length, kind = int.from_bytes(rest[:4], "big"), rest[4:8]
        data = rest[8 : 8 + length]
        whole = chunk(kind, data)
        assert rest.startswith(whole), f"a wrong checksum or length: {kind!r}"
        yield kind, data
        rest = rest[len(whole) :]
    assert not rest


def is_ours(kind: bytes, data: bytes) -> bool:
    """Whether a chunk is one that sdrest writes."""
    return kind in TEXTS and data.startswith(OURS)


def bare(content: bytes) -> bytes:
    """Return a PNG without the chunks that sdrest writes."""
    kept = (chunk(*found) for found in chunks(content) if not is_ours(*found))
    return SIGNATURE + b"".join(kept)


def infotext(text: str) -> tuple[str, dict[str, str]]:
    """Read a prompt and its pairs as AUTOMATIC1111's reader does: the pairs are the last line."""
    *prompt, line = text.strip().split("\n")
    pairs: dict[str, str] = {}
    while line:
        named = re.match(r"(\w[\w \-/]+): ", line)
        assert named, line
        line = line[named.end() :]
        if line.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(line)
        else:
            end = (line + ", ").index(", ")
            value = line[:end]
        assert named[1] not in pairs
        pairs[named[1]] = value
        assert line[end:].startswith(", ") or not line[end:], line
        line = line[end + 2 :]
    return "\n".join(prompt), pairs
