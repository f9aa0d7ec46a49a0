"""The frame of PNG files: a signature, then chunks, each with its length. Pure; knows no pixels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_HEAD = 8  # length (4 bytes, big-endian), then type
_CHUNK_FRAME = 12  # the head, and the checksum behind the data
_SIZE_END = len(_SIGNATURE) + _CHUNK_HEAD + 8  # IHDR begins with width and height, 4 bytes each

Read = Callable[[int, int], bytes]
"""Returns the bytes from a position (first) on, as many as are asked for (second) and there."""


class BrokenPngError(ValueError):
    """The file is no PNG, or ends too early."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its type, and where its data lie in the file."""

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


def chunks(read: Read, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a file of `size` bytes, from IHDR to IEND. Reads 8 bytes of each.

    Raises `BrokenPngError` where the next chunk is not all there.
    """
    if read(0, len(_SIGNATURE)) != _SIGNATURE:
        raise BrokenPngError
    position = len(_SIGNATURE)
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


def size(read: Read) -> tuple[int, int]:
    """Return width and height in pixels; raises `BrokenPngError`."""
    head = read(0, _SIZE_END)
    if len(head) < _SIZE_END or not head.startswith(_SIGNATURE) or head[12:16] != b"IHDR":
        raise BrokenPngError
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
