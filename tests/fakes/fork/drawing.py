"""What all fake scripts do: draw bars as tqdm does and write real PNGs in place."""

import os
import struct
import sys
import zlib
from pathlib import Path

FULL, WIDTH = "\u2588", 10
images_left = sys.maxsize  # a process that is spoiled makes no more in a job


def write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def bar(name: str, n: int, total: int) -> str:
    """Return one drawing of a tqdm bar, e.g. `DDIM Sampler:  50%|█████     | 1/2 [00:00<...`."""
    drawn = (FULL * (n * WIDTH // total)).ljust(WIDTH)
    return f"\r{name}: {n / total * 100:3.0f}%|{drawn}| {n}/{total} [00:00<00:00,  8.00it/s]"


def sample(name: str = "DDIM Sampler", steps: int = 4, depth: int = 2) -> None:
    """Draw the bar of a batch's steps, `depth` lines below the outermost bar."""
    down, up = "\n" * depth, "\x1b[A" * depth
    for n in range(steps + 1):
        write(down + bar(name, n, steps) + up)
    write(bar(name, steps, steps) + "\n")


def png(width: int, height: int, colour: bytes = b"\xc0\x20\x20") -> bytes:
    """Return a PNG in one colour."""
    row = b"\0" + colour * width
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def save(path: Path, data: bytes) -> None:
    """Write a file as Pillow does: it exists, empty, then in part, before it is whole."""
    with path.open("wb", buffering=0) as file:
        middle = len(data) // 2
        file.write(data[:middle])
        file.write(data[middle:])
        os.fsync(file.fileno())
