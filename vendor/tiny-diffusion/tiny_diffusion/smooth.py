"""Smooth fillings of a hole, and how far a picture is plain enough for one.

A clear sky has no texture that patches could give back, only a gradient that must go on without a
step. There the answer is a membrane: the surface that a soap film would take between the rims of
the hole (Laplace's equation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiny_diffusion.patches import Mask, Pixels

HALVINGS = 5
"""The coarsest grid has cells of 32 pixels: pictures whose sides are no multiples of that fail."""
SWEEPS = (200, 60, 40, 40, 20, 10)
"""Rounds of relaxation on each grid, the coarsest first: what is coarse takes the longest."""
LARGEST_BEND = 0.2
PLAIN = 0.018
"""A picture that strays this far from its own blur (black to white is 2) is half plain."""


def pool(picture: NDArray[np.float32], cell: int) -> NDArray[np.float32]:
    """Return the means of the cells of a picture (h, w, c): (h / cell, w / cell, c)."""
    height, width, channels = picture.shape
    cells = picture.reshape(height // cell, cell, width // cell, cell, channels)
    return np.asarray(cells.mean((1, 3)), dtype=np.float32)


def pool_known(picture: Pixels, hole: Mask, cell: int) -> tuple[Pixels, Mask]:
    """Return the cells' means over what is known, and the cells that have any part in the hole."""
    known = (~hole).astype(np.float32)[..., None]
    share = pool(known, cell)
    mean = np.divide(pool(picture * known, cell), np.where(share > 0, share, 1), dtype=np.float32)
    return mean, share[..., 0] < 1


def membrane(
    picture: Pixels, hole: Mask, load: Pixels | None = None, halvings: int = HALVINGS
) -> Pixels:
    """Return the picture (h, w, c) with its hole filled by a membrane; mid-grey if all is hole.

    `load` (h, w, c) weighs it down: it is the Laplacian that the filling has, none by default.
    Solved on coarser grids first, so that a few sweeps suffice on the fine ones.
    """
    load = np.zeros_like(picture) if load is None else load
    known = ~hole[..., None]
    if halvings:
        coarse, _ = pool_known(picture, hole, 2)
        nothing_known = pool(known.astype(np.float32), 2)[..., 0] == 0
        guess = membrane(coarse, nothing_known, 4 * pool(load, 2), halvings - 1)
        guess = guess.repeat(2, 0).repeat(2, 1)
    else:
        mean = np.where(known, picture, 0).sum((0, 1)) / max(known.sum(), 1)
        guess = np.broadcast_to(mean, picture.shape)
    filled = np.where(known, picture, guess).astype(np.float32)
    if hole.any():
        _relax(filled, hole, load, SWEEPS[halvings])
    return filled


def _relax(filled: Pixels, hole: Mask, load: Pixels, sweeps: int) -> None:
    """Replace the hole's pixels by the mean of their neighbours, `sweeps` times, in place."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    box = np.s_[
        max(rows[0] - 1, 0) : rows[-1] + 2,
        max(columns[0] - 1, 0) : columns[-1] + 2,
    ]
    part, inside, weight = filled[box], hole[box][..., None], load[box]
    for _ in range(sweeps):
        np.copyto(part, (_neighbours(part) - weight) / 4, where=inside)


def _neighbours(picture: Pixels) -> Pixels:
    """Return the sums of the four neighbours; beyond the rim everything goes on as it is."""
    frame = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around: Pixels = frame[:-2, 1:-1] + frame[2:, 1:-1] + frame[1:-1, :-2] + frame[1:-1, 2:]
    return around


def bent(filled: Pixels, hole: Mask, plain: Pixels) -> Pixels:
    """Return the picture with a filling that goes on smoothly, where a membrane has a crease.

    It takes its curvature, too, from around the hole, where the picture is `plain` (h, w, 1), and
    as far as the hole as a whole is likely to be.
    """
    radius = max(4, int(np.sqrt(hole.sum()) / 8))
    known = np.pad(~hole[1:-1, 1:-1], 1)[..., None].astype(np.float32)
    weight = (_neighbours(known) == 4) * known * plain
    curvature = (_neighbours(filled) - 4 * filled) * weight
    nearby = blur(curvature, radius) / np.maximum(blur(weight, radius), 1e-3)
    load = membrane(np.where(hole[..., None], 0, nearby).astype(np.float32), hole)
    change = np.clip(membrane(filled, hole, load) - filled, -LARGEST_BEND, LARGEST_BEND)
    trust = (plain * hole[..., None]).sum() / max(hole.sum(), 1)
    return np.asarray(filled + trust * change, dtype=np.float32)


def plainness(filled: Pixels, hole: Mask) -> NDArray[np.float32]:
    """Return how far a membrane is all that is needed, from 0 (texture) to 1 (sky): (h, w, 1).

    `filled` is the picture with the membrane in its hole. Around the hole it is measured how far
    the picture strays from its own blur; into the hole that is carried by a membrane again.
    """
    radius = max(4, int(np.sqrt(hole.sum()) / 16))
    stray = ((filled - blur(filled, radius)) ** 2).mean(2, keepdims=True)
    known = (~hole).astype(np.float32)[..., None]
    nearby = blur(stray * known, 4) / np.maximum(blur(known, 4), 1e-3)
    variance = membrane(np.where(known > 0, nearby, 0).astype(np.float32), hole)
    return np.asarray(PLAIN**2 / (PLAIN**2 + variance), dtype=np.float32)


def blur(picture: Pixels, radius: int) -> Pixels:
    """Return the means over squares of 2 radius + 1 pixels; the picture is mirrored at its rim."""
    for axis in (0, 1):
        length = picture.shape[axis]
        reach = min(radius, length - 2)
        pads = [(0, 0)] * picture.ndim
        pads[axis] = (reach + 1, reach)
        sums = np.pad(picture, pads, mode="reflect").cumsum(axis, dtype=np.float64)
        width = 2 * reach + 1
        upper = sums.take(range(width, width + length), axis)
        picture = ((upper - sums.take(range(length), axis)) / width).astype(np.float32)
    return picture
