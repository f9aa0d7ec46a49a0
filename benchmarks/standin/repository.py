"""Lays out the repository that both servers are given."""

import random
import shutil
import struct
import sys
import zlib
from pathlib import Path

from benchmarks.standin import script

_PYTHON = """#!/bin/sh
# The original runs scripts of its own, which import the fork: the stand-in takes their place.
case "$1" in
*/stable-diffusion-scripts/*) shift; exec '{python}' -S '{script}' "$@" ;;
*) exec '{python}' -S "$@" ;;
esac
"""
_CHECKPOINTS = {
    "--text-to-image-model": "models/ldm/stable-diffusion-v1/model.ckpt",
    "--inpaint-image-model": "models/ldm/inpainting_big/last.ckpt",
}
_SIDE = 512
_NOISE = 267
"""Pixels of each row that are noise, the rest is black: about 400 kB, as a photo of that size."""


def create(folder: Path) -> list[str]:
    """Make the repository in a new folder and return the flags that choose it."""
    scripts = folder / "scripts"
    scripts.mkdir(parents=True)
    for name in ("txt2img.py", "img2img.py", "inpaint.py"):
        shutil.copyfile(script.__file__, scripts / name)
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        _PYTHON.format(python=sys.executable, script=scripts / "txt2img.py"), encoding="utf-8"
    )
    python.chmod(0o755)
    flags = ["--repository", str(folder)]
    for flag, name in _CHECKPOINTS.items():
        checkpoint = folder / name
        checkpoint.parent.mkdir(parents=True)
        checkpoint.write_bytes(b"stands in for a checkpoint")
        flags += [flag, str(checkpoint)]
    (folder / "models/ldm/inpainting_big/config.yaml").write_text("model: {}\n", encoding="ascii")
    (folder / script.PICTURE).write_bytes(picture())
    return flags


def picture() -> bytes:
    """Return a PNG of 512 x 512 pixels and about 400 kB, the same in every run."""
    noise = random.Random(0)  # noqa: S311 (no secret)
    rows = b"".join(
        b"\0" + noise.randbytes(3 * _NOISE) + bytes(3 * (_SIDE - _NOISE)) for _ in range(_SIDE)
    )
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)  # 8 bits of R, G and B
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
