"""The decoder: from the weights of the layers and the final latent to a picture in full size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tiny_diffusion.bank import Bank, Reflection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.float32]

NEGLIGIBLE = 0.02  # versions of less weight are left out
CORE = 0.1  # what differs less from the drawing is noise


def draw(bank: Bank, weights: Sequence[NDArray[np.float64]], rows: int, columns: int) -> Picture:
    """Draw the expected picture (rows, columns, 3), values about 0 … 1."""
    picture = np.zeros((rows, columns, 4), dtype=np.float32)
    picture[..., 3] = 1
    for layer, weight in zip(bank.layers, weights, strict=True):
        if isinstance(layer, Reflection):
            _reflect(picture, layer, bank.world.height)
            continue
        chosen = np.flatnonzero(weight > min(NEGLIGIBLE, float(weight.max()) * 0.9))
        total = float(weight[chosen].sum())
        drawn = [
            (float(weight[k]) / total, bank.draw(layer.part, int(k), rows, columns)) for k in chosen
        ]
        _lay(picture, drawn)
    return bank.style.apply(picture)[..., :3]


def _lay(picture: Picture, drawn: Sequence[tuple[float, tuple[Picture, int, int]]]) -> None:
    """Lay the weighted mean of drawings over the picture, in place."""
    if len(drawn) == 1:
        pixels, top, left = drawn[0][1]
        mean = pixels
        area = picture[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    else:
        mean = np.zeros_like(picture)
        for share, (pixels, top, left) in drawn:
            mean[top : top + pixels.shape[0], left : left + pixels.shape[1]] += (
                np.float32(share) * pixels
            )
        area = picture
    area *= 1 - mean[..., 3:]
    area += mean
    picture[..., 3] = 1


def _reflect(picture: Picture, layer: Reflection, height: float) -> None:
    """Mirror what is above the water, trembling a little, in place."""
    rows, columns, _ = picture.shape
    row = min(max(1, round(layer.mirror.horizon / height * rows)), rows - 1)
    below = np.arange(rows - row)
    t = below / max(rows - row, 1)
    unit = rows / height
    shift = np.rint(0.006 * unit * t * np.sin(below / unit * 160 / (1 + 2 * t))).astype(np.int64)
    source = row - 1 - np.minimum(below, row - 1)
    across = np.clip(np.arange(columns)[None] + shift[:, None], 0, columns - 1)
    amount = np.float32(layer.mirror.amount)
    colour = np.array([*layer.mirror.colour, 1], dtype=np.float32)
    picture[row:] = picture[source[:, None], across] * (1 - amount) + colour * amount


def add_rest(picture: Picture, rest: NDArray[np.float32]) -> Picture:
    """Add what the final latent holds beside the drawing's (3, h, w), faint noise left out."""
    core = np.float32(CORE)
    seen = (rest - np.clip(rest, -core, core)) / np.float32(2)
    if not seen.any():
        return picture
    return np.add(picture, grow(seen, picture.shape[1], picture.shape[0]), dtype=np.float32)


def grow(cells: NDArray[np.float32], columns: int, rows: int) -> Picture:
    """Enlarge cells (n, h, w) smoothly to a picture (rows, columns, n)."""
    images = [Image.fromarray(c).resize((columns, rows), Image.Resampling.BICUBIC) for c in cells]
    return np.stack([np.asarray(image, dtype=np.float32) for image in images], 2)


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Round a picture of 0 … 1 to bytes; what is not a number becomes black."""
    scaled = np.clip(np.nan_to_num(picture), 0, 1) * 255 + np.float32(0.5)
    return np.asarray(scaled.astype(np.uint8))
