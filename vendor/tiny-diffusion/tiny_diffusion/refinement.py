"""From matches on a coarse grid to matches on one twice as fine.

A fine grid has too many patches to weigh all of them. But a patch that matched on the coarse grid
matches here, too, at twice the offset, within a pixel; and neighbours come from the same place if
possible, since their texture is continuous then. (Barnes et al. 2009, "PatchMatch".)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import patches
from tiny_diffusion.patches import NOWHERE, SIZE, Mask, Pixels, Places

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDE = 4
CERTAIN = 16
"""How much more a known pixel counts than one that was guessed on the coarser grid."""
ROUNDS = 3
AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


@dataclass(frozen=True, slots=True)
class Matches:
    """The offsets (n, 2) from `places` (n, 2), on a grid of STRIDE, to their source patches."""

    places: Places
    offsets: Places
    shape: tuple[int, int]

    def grid(self, rim: int = 0) -> Places:
        """Return the offsets laid out, (rows, columns, 2), inside a rim of NOWHERE."""
        rows, columns = ((side - SIZE) // STRIDE + 1 + 2 * rim for side in self.shape)
        offsets = np.full((rows, columns, 2), NOWHERE, np.int64)
        offsets[self.places[:, 0] // STRIDE + rim, self.places[:, 1] // STRIDE + rim] = self.offsets
        return offsets


class _Search:
    """The best offset found so far for each place."""

    def __init__(self, picture: Pixels, target: Pixels, hole: Mask, start: Matches) -> None:
        self._places, self._shape = start.places, hole.shape
        self._windows, self._intact = patches.windows(picture), patches.intact(hole)
        self._target = patches.windows(target)[start.places[:, 0], start.places[:, 1]]
        certainty = np.where(hole, 1, CERTAIN).astype(np.float32)[..., None]
        self._certainty = patches.windows(certainty)[start.places[:, 0], start.places[:, 1]]
        self.offsets = start.offsets
        self._costs = self._cost(start.offsets)

    def offer(self, offsets: Places) -> None:
        """Take those of the offsets (n, 2) that are better."""
        costs = self._cost(offsets)
        better = costs < self._costs
        self.offsets = np.where(better[:, None], offsets, self.offsets)
        self._costs = np.where(better, costs, self._costs)

    def _cost(self, offsets: Places) -> NDArray[np.float32]:
        source = self._places + offsets
        last = np.asarray(self._shape) - SIZE
        within = np.asarray(((source >= 0) & (source <= last)).all(1))
        source = np.where(within[:, None], source, 0)
        usable = within & self._intact[source[:, 0], source[:, 1]]
        difference = self._windows[source[:, 0], source[:, 1]] - self._target
        difference *= difference
        difference *= self._certainty
        costs = difference.reshape(len(offsets), -1).sum(1)
        return np.where(usable, costs, np.float32(np.inf))


def refine(picture: Pixels, hole: Mask, coarse: Matches) -> tuple[Pixels, Matches]:
    """Return the picture (h, w, 3) with its hole filled, and the matches, at twice the detail."""
    twice = patches.cut(picture, 2 * (coarse.places + coarse.offsets), 2 * SIZE)
    laid = patches.overlay(twice, 2 * coarse.places, hole.shape, 2 * STRIDE)
    target = np.where(hole[..., None], laid.mean, picture)
    places = patches.touching(hole, STRIDE)
    parents = _parents(places, coarse)
    found = Matches(places, parents[0], hole.shape)
    for round_ in range(ROUNDS):
        search = _Search(picture, target, hole, found)
        for offsets in parents if round_ == 0 else []:
            search.offer(offsets)
        neighbours = Matches(places, search.offsets, hole.shape).grid(rim=1)
        for y, x in AROUND:
            search.offer(neighbours[places[:, 0] // STRIDE + 1 + y, places[:, 1] // STRIDE + 1 + x])
        centre = search.offsets
        for nudge in AROUND if round_ < ROUNDS - 1 else []:
            search.offer(centre + nudge)
        found = Matches(places, search.offsets, hole.shape)
        laid = patches.overlay(
            patches.cut(picture, places + found.offsets), places, hole.shape, STRIDE
        )
        target = np.where(hole[..., None], laid.mean, picture)
    return target, found


def _parents(places: Places, coarse: Matches) -> list[Places]:
    """Return the offsets that each place inherits from the four coarse patches over it."""
    grid = coarse.grid()
    row = np.minimum(places[:, 0] // (2 * STRIDE), grid.shape[0] - 1)
    column = np.minimum(places[:, 1] // (2 * STRIDE), grid.shape[1] - 1)
    return [
        2 * grid[np.maximum(row - up, 0), np.maximum(column - left, 0)]
        for up in (0, 1)
        for left in (0, 1)
    ]
