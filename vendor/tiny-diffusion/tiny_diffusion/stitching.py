"""Laying matched patches over each other so that their seams vanish.

Not the patches' colours are copied but their gradients, with the hole's rim and, loosely, the
colours to hold on to (Perez et al. 2003, "Poisson image editing"). A small step where two patches
meet is not in any patch's gradient, so it is smoothed away. A large one is more likely an outline
of the picture, and stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import patches
from tiny_diffusion.refinement import STRIDE, Matches

if TYPE_CHECKING:
    from tiny_diffusion.patches import Mask, Pixels

SHARPNESS = 6
LARGE_STEP = 0.06, 3.0
"""A step is large beside 0.06 (black to white is 2) and three of the picture's usual steps."""
HOLD = 0.02
"""How strongly colours are held: a seam is spread over some 1 / sqrt(HOLD) pixels."""
ROUNDS, ENOUGH = 40, 1e-5


def stitch(picture: Pixels, hole: Mask, matches: Matches, smooth: Pixels, plain: Pixels) -> Pixels:
    """Return the picture (h, w, 3) with its hole filled from the matches.

    Where it is `plain` (h, w, 1), the filling gives way to `smooth` (h, w, 3).
    """
    cuts = patches.cut(picture, matches.places + matches.offsets)
    right, down = _forward(cuts, 2), _forward(cuts, 1)
    laid = patches.overlay(
        np.concatenate([cuts, right, down], 3), matches.places, hole.shape, STRIDE, SHARPNESS
    )
    colours, right, down = np.split(laid.mean, 3, axis=2)
    inside = hole[..., None]
    filled = np.where(inside, colours + plain * (smooth - colours), picture)
    right += plain * (_forward(smooth, 1) - right)
    down += plain * (_forward(smooth, 0) - down)
    usual = np.abs(_forward(picture, 1))[~hole].mean()
    large = np.float32(LARGE_STEP[0] + LARGE_STEP[1] * usual)
    return filled + _correction(
        _soften(right[:, :-1] - np.diff(filled, axis=1), large),
        _soften(down[:-1] - np.diff(filled, axis=0), large),
        inside,
    )


def _forward(picture: Pixels, axis: int) -> Pixels:
    """Return the steps to the next pixel along an axis; 0 at the last."""
    return np.diff(picture, axis=axis, append=picture.take([-1], axis))


def _soften(steps: Pixels, large: np.float32) -> Pixels:
    """Return the steps to take away: the small ones whole, of large ones next to nothing."""
    return np.asarray(steps / (1 + (steps / large) ** 2), dtype=np.float32)


def _correction(right: Pixels, down: Pixels, inside: Mask) -> Pixels:
    """Return the change (h, w, 3) inside the hole whose steps come closest to the given ones.

    Least squares by conjugate gradients; the sums are NumPy's own, in an order that never varies.
    """
    rest = np.where(inside, -_divergence(right, down), 0).astype(np.float32)
    change, direction = np.zeros_like(rest), rest
    power = _square(rest)
    for _ in range(ROUNDS):
        if power < ENOUGH:
            break
        pull = HOLD * direction - _divergence(
            np.diff(direction, axis=1), np.diff(direction, axis=0)
        )
        pull = np.where(inside, pull, 0).astype(np.float32)
        length = np.float32(power / float((direction * pull).sum(dtype=np.float64)))
        change = change + length * direction
        rest = rest - length * pull
        previous, power = power, _square(rest)
        direction = rest + np.float32(power / previous) * direction
    return change


def _square(field: Pixels) -> float:
    return float((field * field).sum(dtype=np.float64))


def _divergence(right: Pixels, down: Pixels) -> Pixels:
    """Return what flows out of each pixel to the right and down, less what flows in."""
    flow = np.pad(right, ((0, 0), (0, 1), (0, 0))) + np.pad(down, ((0, 1), (0, 0), (0, 0)))
    flow[:, 1:] -= right
    flow[1:] -= down
    return flow
