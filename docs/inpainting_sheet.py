"""Draw the contact sheet of inpainting: docs/images/inpainting.png.

    python docs/inpainting_sheet.py

Each row is a picture with its hole in white, then two fillings, always of the same seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from skimage import data

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "vendor" / "tiny-diffusion"
sys.path.insert(0, str(ENGINE))

from tiny_diffusion.checkpoint import load  # noqa: E402 - needs the path
from tiny_diffusion.diffusion import text_to_image  # noqa: E402 - needs the path
from tiny_diffusion.inpainting import inpaint  # noqa: E402 - needs the path

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

SIDE = 512
CELL = 256
GAP = 8
STEPS = 32
SEEDS = (1, 2)


def sheet() -> Image.Image:
    """Return the sheet."""
    folder = ENGINE / "models" / "ldm" / "inpainting_big"
    checkpoint = load(str(folder / "last.ckpt"), str(folder / "config.yaml"))
    rows = []
    for picture, mask in _pictures():
        fillings = [
            inpaint(checkpoint, picture, mask, steps=STEPS, rng=np.random.default_rng(seed))
            for seed in SEEDS
        ]
        rows.append([np.where(mask[..., None], 255, picture).astype(np.uint8), *fillings])
    width, height = (GAP + count * (CELL + GAP) for count in (len(rows[0]), len(rows)))
    canvas = Image.new("RGB", (width, height), (246, 246, 244))
    for top, row in enumerate(rows):
        for left, cell in enumerate(row):
            small = Image.fromarray(cell).resize((CELL, CELL), Image.Resampling.LANCZOS)
            canvas.paste(small, (GAP + left * (CELL + GAP), GAP + top * (CELL + GAP)))
    return canvas


def _pictures() -> list[tuple[Picture, Mask]]:
    """Return drawn, smooth, patterned and photographed pictures with holes."""
    return [
        (_drawn("a red boat on a lake at sunset, snowy mountains", 3), _box(300, 60, 460, 300)),
        (_drawn("a village in green hills by day", 5), _blob(200, 256, 110)),
        (_sky(), _blob(250, 256, 150)),
        (_chequers(), _blob(256, 256, 140)),
        (_photo(_read(data.gravel)), _blob(256, 256, 140)),
        (_photo(_read(data.grass)), _box(120, 100, 400, 390)),
        (_photo(_read(data.chelsea)), _blob(400, 90, 75)),
    ]


def _read(photo: Callable[[], Any]) -> Picture:
    """Return a photo that ships with scikit-image."""
    return np.asarray(photo(), dtype=np.uint8)


def _drawn(prompt: str, seed: int) -> Picture:
    folder = ENGINE / "models" / "ldm" / "stable-diffusion-v1" / "model.ckpt"
    config = ENGINE / "configs" / "stable-diffusion" / "v1-inference.yaml"
    rng = np.random.default_rng(seed)
    code = rng.standard_normal((1, 4, SIDE // 8, SIDE // 8), dtype=np.float32)
    pictures = text_to_image(
        load(str(folder), str(config)),
        [prompt],
        code,
        steps=24,
        scale=7.5,
        eta=0.0,
        plms=False,
        rng=rng,
    )
    return np.asarray(pictures[0])


def _sky() -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    glow = np.hypot(x - 0.75, y - 0.9)
    sky = np.stack([255 - 150 * glow, 190 - 120 * glow, 130 + 60 * glow], 2)
    return np.asarray(sky.clip(0, 255), dtype=np.uint8)


def _chequers() -> Picture:
    y, x = np.mgrid[:SIDE, :SIDE] // 32
    return np.where((y + x)[..., None] % 2, (232, 226, 208), (38, 70, 83)).astype(np.uint8)


def _photo(photo: Picture) -> Picture:
    """Return the middle of a photo, square and in colour."""
    image = Image.fromarray(photo).convert("RGB")
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _box(top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def _blob(y: int, x: int, radius: int) -> Mask:
    down, across = np.mgrid[:SIDE, :SIDE]
    angle = np.arctan2(down - y, across - x)
    rim = radius * (1 + 0.18 * np.sin(3 * angle + 1) + 0.08 * np.sin(5 * angle + 2))
    return np.asarray(np.hypot(down - y, across - x) < rim)


if __name__ == "__main__":
    sheet().save(ROOT / "docs" / "images" / "inpainting.png", optimize=True)
