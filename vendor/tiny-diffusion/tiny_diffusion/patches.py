"""Square patches of a picture: where they lie, cutting them out, laying them over each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 8
"""The side of every patch, in pixels of the picture at hand, however coarse that is."""
NOWHERE = 2**20
"""The offset of a place that has no match: it points outside of every picture."""

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
"""Top left corners of patches, (..., 2), as (y, x)."""


def intact(hole: Mask) -> Mask:
    """Tell of every place whether the patch there lies wholly outside the hole."""
    counts = np.pad(hole.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = (
        counts[SIZE:, SIZE:]
        - counts[:-SIZE, SIZE:]
        - counts[SIZE:, :-SIZE]
        + counts[:-SIZE, :-SIZE]
    )
    return np.asarray(inside == 0)


def touching(hole: Mask, stride: int) -> Places:
    """Return the places, on a grid of `stride`, of the patches that are to be filled: (n, 2)."""
    return np.argwhere(~intact(hole)[::stride, ::stride]) * stride


def windows(picture: Pixels) -> Pixels:
    """Return all patches of a picture (h, w, c) without copying: (y, x, c, SIZE, SIZE)."""
    return np.lib.stride_tricks.sliding_window_view(picture, (SIZE, SIZE), axis=(0, 1))


def cut(picture: Pixels, places: Places, size: int = SIZE) -> Pixels:
    """Return the patches of a picture (h, w, c) at `places` (n, 2): (n, size, size, c)."""
    every = np.lib.stride_tricks.sliding_window_view(picture, (size, size), axis=(0, 1))
    return np.moveaxis(every[places[:, 0], places[:, 1]], 1, -1)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Patches laid over each other: the weighted mean (h, w, c), and where there was any (h, w)."""

    mean: Pixels
    covered: Mask


def overlay(
    patches: Pixels, places: Places, shape: tuple[int, int], stride: int, sharpness: int = 3
) -> Overlay:
    """Lay patches (n, s, s, c) at `places` on a grid of `stride`, which divides s and `shape`.

    A patch counts most in its middle; the sharper, the narrower the zones where two mix.
    """
    size, channels = patches.shape[1], patches.shape[3]
    weight = _bump(size, sharpness)[..., None]
    weighted = np.concatenate(
        [patches * weight, np.broadcast_to(weight, (*patches.shape[:3], 1))], 3
    )
    total = np.zeros(
        (shape[0] // stride, shape[1] // stride, stride, stride, channels + 1), np.float32
    )
    row, column = places[:, 0] // stride, places[:, 1] // stride
    for i in range(size // stride):
        for j in range(size // stride):
            part = weighted[:, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
            total[row + i, column + j] += part
    flat = total.swapaxes(1, 2).reshape(*shape, channels + 1)
    weights = flat[..., -1:]
    mean = np.divide(flat[..., :-1], np.where(weights > 0, weights, 1), dtype=np.float32)
    return Overlay(mean, weights[..., 0] > 0)


def _bump(size: int, sharpness: int) -> Pixels:
    """Return weights (size, size): nearly 1 in the middle, nearly 0 at the rim."""
    side = 1 - np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    return np.asarray(np.multiply.outer(side, side) ** sharpness, dtype=np.float32)
