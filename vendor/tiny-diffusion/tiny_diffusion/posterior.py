"""The exact posterior mean over a picture's own patches: the denoiser of inpainting.

All patches that lie outside the hole are the model: "a patch of this picture is one of these".
For a patch that is partly known and partly noise, Bayes' rule gives each of them its weight,
    w_k ~ exp(-sum_j (x_j - p_kj)^2 / (2 s_j^2)),
with a small variance s_j^2 where the pixel j is known and that of the noise where it is not;
the weighted mean is what an ideal network would predict.

The sums are found by matrix products over whole numbers, small enough to be exact in 32-bit floats:
no order of summation, and so no number of threads, can change them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import patches
from tiny_diffusion.patches import NOWHERE, SIZE, Mask, Pixels, Places

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 40
"""Pixels (-1 ... 1) are compared as whole numbers from -40 to 40 ..."""
CERTAIN = 16
"""... and count from 1 (noise) to 16 (known): 192 x 3 x 16 x 40^2 < 2^24, so floats are exact."""
UNIT = 2**17
"""Weights are whole numbers too, of this sum."""
COHERENCE = 0.5
"""A source that goes on where a neighbour's leaves off is taken for so much nearer."""
MOST_SOURCES = 12_000
TOLERANCE = (0.001, 0.004)
"""The least and the largest variance that a known pixel is allowed."""


class PatchModel:
    """The patches of one picture (h, w, 3), values -1 ... 1, with a hole (h, w)."""

    def __init__(self, picture: Pixels, hole: Mask, stride: int, rng: np.random.Generator) -> None:
        """Collect the patches; of very many, a part drawn by `rng`. `stride` is for the filling."""
        self.picture, self.hole, self._stride = picture, hole, stride
        sources = np.argwhere(patches.intact(hole))
        if len(sources) > MOST_SOURCES:
            sources = sources[np.sort(rng.permutation(len(sources))[:MOST_SOURCES])]
        self.sources: Places = sources
        self.places: Places = patches.touching(hole, stride)
        self._depth = _depth(hole)
        middle = self._depth[*(self.places.T + SIZE // 2)]
        depth = np.maximum(middle - 1, 0) // stride
        self._rings = [np.flatnonzero(depth == ring) for ring in np.unique(depth)]
        self._number = np.full([side - SIZE + 1 for side in hole.shape], -1)
        self._number[*sources.T] = np.arange(len(sources))
        self._bank = _whole(patches.cut(picture, sources)).reshape(len(sources), SIZE * SIZE * 3)
        self._keys = np.ascontiguousarray(np.concatenate([self._bank, self._bank**2], 1).T)

    def fill(self, noisy: Pixels, variance: float) -> tuple[Pixels, Places]:
        """Return the expected picture behind `noisy`, and the best source for each of `places`.

        From the rim inwards, ring by ring: what one ring has settled is known to the next.
        """
        tolerance = min(max(variance / 4, TOLERANCE[0]), TOLERANCE[1])
        uncertain = min(max(round(CERTAIN * tolerance / variance), 1), CERTAIN)
        picture = np.where(self.hole[..., None], noisy, self.picture).astype(np.float32)
        unsettled = self.hole.copy()
        sources = np.zeros_like(self.places)
        offsets = np.full((*(side // self._stride + 2 for side in self.hole.shape), 2), NOWHERE)
        for index, ring in enumerate(self._rings):
            places = self.places[ring]
            certainty = np.where(unsettled, uncertain, CERTAIN).astype(np.float32)[..., None]
            distances = self._distances(picture, certainty, places)
            self._favour_neighbours(distances, places, offsets)
            sources[ring] = self.sources[distances.argmin(1)]
            offsets[*(places.T // self._stride + 1)] = sources[ring] - places
            means = self._means(distances / np.float32(2 * CERTAIN * tolerance * LEVELS**2))
            laid = patches.overlay(means, places, self.hole.shape, self._stride)
            settled = unsettled & laid.covered
            if index < len(self._rings) - 1:
                settled &= self._depth <= (index + 1) * self._stride
            picture[settled] = laid.mean[settled]
            unsettled &= ~settled
        return picture, sources

    def _distances(self, picture: Pixels, certainty: Pixels, places: Places) -> Pixels:
        """Return how far each patch at `places` is from each source, up to a constant for each."""
        count = len(places)
        seen = _whole(patches.cut(picture, places)).reshape(count, -1)
        weight = patches.cut(certainty, places).repeat(3, 3).reshape(count, -1)
        own = (weight * seen * seen).sum(1, keepdims=True)
        return np.asarray(np.concatenate([-2 * weight * seen, weight], 1) @ self._keys + own)

    def _favour_neighbours(self, distances: Pixels, places: Places, offsets: Places) -> None:
        """Bring those sources closer that go on with what a settled neighbour comes from."""
        row, column = places.T // self._stride + 1
        for y, x in np.ndindex(3, 3):
            source = places + offsets[row + y - 1, column + x - 1]
            within = np.asarray(((source >= 0) & (source < self._number.shape)).all(1))
            number = self._number[*np.where(within[:, None], source, 0).T]
            (known,) = np.nonzero(within & (number >= 0))
            distances[known, number[known]] *= np.float32(COHERENCE)

    def _means(self, exponents: Pixels) -> Pixels:
        """Return the posterior means for negative log weights (n, sources)."""
        weights = np.exp(exponents.min(1, keepdims=True) - exponents)
        weights = np.rint(weights * (np.float32(UNIT) / weights.sum(1, keepdims=True)))
        means = (weights @ self._bank) / (weights.sum(1, keepdims=True) * LEVELS)
        return np.asarray(means.reshape(-1, SIZE, SIZE, 3))


def _whole(picture: Pixels) -> NDArray[np.float32]:
    return np.rint(np.clip(picture, -1, 1) * LEVELS)


def _depth(hole: Mask) -> NDArray[np.int64]:
    """Return each pixel's distance to what is known, in king's moves; 0 outside the hole."""
    depth = np.zeros(hole.shape, np.int64)
    left = hole
    while left.any() and not left.all():
        depth[left] += 1
        frame = np.pad(left, 1, constant_values=True)
        rows = frame[:-2] & frame[1:-1] & frame[2:]
        left = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return depth
