"""The latent of a picture: four numbers for each cell of 8 x 8 pixels.

The first three are the cell's mean colour (-1 is black, 1 is white), the fourth is how much
brighter its upper half is than its lower: a linear map, so the latent of an expected picture is
the expected latent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL = 8


def encode(picture: NDArray[np.float32], cell: int = CELL) -> NDArray[np.float32]:
    """Give the latent (4, H/cell, W/cell) of a picture (H, W, 3) with values 0 … 1."""
    height, width, _ = picture.shape
    halves = picture.reshape(height // cell, 2, cell // 2, width // cell, cell, 3).mean((2, 4))
    mean = 2 * halves.mean(1) - 1
    slope = (halves[:, 0] - halves[:, 1]).mean(2)[..., None]
    return np.ascontiguousarray(np.concatenate([mean, slope], 2).transpose(2, 0, 1))


def decode_cells(latent: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the flat-celled picture (8h, 8w, 3) of a latent (4, h, w), values 0 … 1."""
    colours = np.clip((latent[:3].transpose(1, 2, 0) + 1) / 2, 0, 1)
    return colours.repeat(CELL, 0).repeat(CELL, 1).astype(np.float32)
