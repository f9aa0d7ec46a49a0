"""Values, names and files that do harm. Pure: all randomness is the caller's."""

import pickle
import struct
import zlib
from random import Random
from typing import Any

TYPES = ("text-to-image", "image-to-image", "inpaint-image")
IDS = ("0" * 32, "f" * 32, "F" * 32, "0" * 31, "0" * 33, "g" * 32, "..", "%2e%2e", "", "\\", "%00")
FIELDS = (
    *("prompt", "iterations", "batchSize", "seed", "guidanceScale", "eta", "steps", "height"),
    "negativePrompt",
    *("width", "channels", "downsamplingFactor", "sampler", "strength", "image", "mask"),
    *("outputDirectoryPath", "modelFilePath", "stableDiffusionRepositoryDirectoryPath"),
    *("__proto__", "constructor", "toString", "", "a[b]", "a[]", "a[999999999]", "a" * 300, "é"),
)
TEXTS = (
    *("", " ", "\0", "a\0b", "--help", "--outdir=/tmp", '"', "'", "\\", "`id`", "$(touch pwned)"),
    *(
        "; rm -rf .",
        "../../etc/passwd",
        "/etc/passwd",
        "%s%n",
        "{0}",
        "{{7*7}}",
        "\ud800",
        "\uffff",
    ),
    *("NaN", "Infinity", "-1", "0", "1e999", "1e-999", "0x10", "٣", "1" * 400, "true", "null"),
    *(
        "<script>alert(1)</script>",
        "a" * 20_000,
        "\r\nX: y",
        "😀" * 500,
        "\u202e",
        "[object Object]",
    ),
)
NUMBERS = (0, -1, 1, 0.5, -0.0, 1e308, -1e308, 2**31, 2**53, 2**64, 10**400, 65, 1e-300)
RAW_JSON = (
    *(b"", b"{", b"[]", b"null", b"1", b'"a"', b"{}{}", b"\xff\xfe", b"\0", b"{'a':1}", b"{,}"),
    *(b'{"seed":NaN}', b'{"seed":1e999}', b'{"seed":-}', b'{"a":"\\ud800"}', b"[" * 100_000),
    *(b'{"a":' * 5000, b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b"{" + b" " * 100_000, b'{"prompt":"'),
)

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080200000090775"
    "3de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
"""A valid PNG of one pixel."""

BODY_WORDS = (
    *(b"--B", b"--B--", b"\r\n", b"\n", b'Content-Disposition: form-data; name="', b'"', b":"),
    *(b"prompt", b"; filename=x", b"{", b"}", b'"prompt":', b"[", b"=", b"&", b"%", b"\0"),
    *(b"\xff", b"\\u", b"image", PICTURE, b"Content-Type: ", b"multipart/mixed"),
)
"""Tokens that bodies of each type are made of."""


def text(random: Random) -> str:
    """Return a text, often of the known bad ones."""
    if random.random() < 0.6:
        return random.choice(TEXTS)
    return "".join(chr(random.choice((random.randrange(128), random.randrange(0xD800)))) for _ in
                   range(random.randrange(40)))  # fmt: skip


def value(random: Random, depth: int = 0) -> Any:
    """Return a JSON value."""
    match random.randrange(8 if depth < 4 else 5):
        case 0 | 1:
            return text(random)
        case 2 | 3:
            return random.choice(NUMBERS)
        case 4:
            return random.choice((True, False, None))
        case 5:
            return [value(random, depth + 1) for _ in range(random.randrange(4))]
        case _:
            return {name(random): value(random, depth + 1) for _ in range(random.randrange(4))}


def name(random: Random) -> str:
    """Return the name of a field."""
    return random.choice(FIELDS) if random.random() < 0.9 else text(random)


def noise(random: Random, most: int) -> bytes:
    """Return random bytes."""
    return random.randbytes(random.randrange(most))


def file(random: Random) -> bytes:
    """Return a file that should not be opened, or not as what it says it is."""
    return random.choice(
        (
            b"",
            b"<html><script>alert(1)</script></html>",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n",
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
            pickle.dumps({"a": [1]}),
            b"PK\x03\x04" + bytes(100),
            b"\x1f\x8b\x08" + bytes(100),
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a\xff\xff\xff\xff" + bytes(20),
            b"\xff\xd8\xff\xe0" + random.randbytes(200),
            b"RIFF\xff\xff\xff\xffWEBPVP8 " + random.randbytes(100),
            b"II*\0" + random.randbytes(100),
            bomb(random),
            cut(random, bomb(random)),
            noise(random, 3000),
        )
    )


def bomb(random: Random) -> bytes:
    """Return a small PNG that says it is enormous."""
    size = random.choice((10_000, 14_000, 65_535, 2**31 - 1, 0))
    return png_of(size, size, colours=random.choice((0, 2, 3, 6)))


def png_of(width: int, height: int, *, colours: int = 2) -> bytes:
    """Return a PNG that says it has this size, and holds a few lines."""
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    chunks = ((b"IHDR", header), (b"iCCP", b"a\0\0" + data), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def cut(random: Random, content: bytes) -> bytes:
    """Return the beginning of a content."""
    return content[: random.randrange(len(content))]
