"""PNGs chunk by chunk, and the text in them, read without the code under test."""

import json
import re
import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
OURS = (b"parameters\0", b"sdrest\0")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk as it lies in a file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


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
