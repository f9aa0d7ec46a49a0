"""Inpainting: a hole is filled from the rest of the picture by diffusion.

The sampler is that of txt2img, on a picture of a quarter of the size. In the place of a trained
network stands the posterior mean over the picture's own patches, wherever they come from:
the noisier, the coarser the picture that they are cut from, and so the larger what they show.
What the sampler has settled is then carried to full size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import sampler
from tiny_diffusion.patches import SIZE
from tiny_diffusion.posterior import PatchModel
from tiny_diffusion.refinement import STRIDE, Matches, refine
from tiny_diffusion.schedule import Schedule, alphas_cumprod
from tiny_diffusion.shapes import check_latent
from tiny_diffusion.smooth import bent, membrane, plainness, pool, pool_known
from tiny_diffusion.stitching import stitch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiny_diffusion.checkpoint import Checkpoint
    from tiny_diffusion.patches import Mask, Pixels, Places

CELL = 4
"""Pixels to a side of a cell of the sampler's picture, as in the fork's inpainting model."""
GRIDS = {1: STRIDE, 2: 2, 4: 2}
"""The grids of the denoiser, in cells, and the strides at which patches are laid on them."""
SWITCH = 0.1
"""A grid serves as long as the noise's variance on it is larger than this on the finer one."""
REACH = 0.4
"""Noise is taken seriously up to this far from the membrane."""
FEWEST_SOURCES = 16
QUICK_STEPS = 10
MARGIN = 256
"""Pixels around a hole from which `fill` takes what it needs."""


class PatchDenoiser:
    """The expected clean picture behind a noisy one, given all that is outside of the hole."""

    def __init__(
        self, picture: Pixels, hole: Mask, smooth: Pixels, plain: Pixels, rng: np.random.Generator
    ) -> None:
        """Take a picture (h, w, 3), its hole (h, w), the smooth filling and where that is right."""
        self._picture, self._hole, self._smooth, self._plain = picture, hole, smooth, plain
        models = {
            grid: PatchModel(*pool_known(picture, hole, grid), stride, rng)
            for grid, stride in GRIDS.items()
            if min(hole.shape) >= SIZE * grid
        }
        self._models = {
            grid: model for grid, model in models.items() if len(model.sources) >= FEWEST_SOURCES
        }

    def __call__(self, x: NDArray[np.float32], alpha_bar: float) -> NDArray[np.float32]:
        """Give the expected clean picture (1, 3, h, w) behind `x`, whose noise is 1 - alpha_bar."""
        noisy = x[0].transpose(1, 2, 0) / np.float32(alpha_bar**0.5)
        clean = self._clean(noisy, (1 - alpha_bar) / alpha_bar)
        clean = clean + self._plain * (self._smooth - clean)
        clean = np.where(self._hole[..., None], clean, self._picture)
        return np.ascontiguousarray(clean.transpose(2, 0, 1)[None], dtype=np.float32)

    def matches(self, picture: NDArray[np.float32]) -> Matches | None:
        """Return where the hole of a clean picture (1, 3, h, w) comes from; None: from nowhere."""
        model = self._models.get(1)
        if model is None:
            return None
        sources = self._fill(1, picture[0].transpose(1, 2, 0), 0)[1]
        return Matches(model.places, sources - model.places, self._hole.shape)

    def _clean(self, noisy: Pixels, variance: float) -> Pixels:
        if not self._models:
            return self._smooth
        fine_enough = [grid for grid in self._models if variance / grid**2 <= SWITCH]
        grid = min(fine_enough, default=max(self._models))
        return self._fill(grid, noisy, variance / grid**2)[0].repeat(grid, 0).repeat(grid, 1)

    def _fill(self, grid: int, noisy: Pixels, variance: float) -> tuple[Pixels, Places]:
        smooth = pool(self._smooth, grid)
        near = smooth + np.clip(pool(noisy, grid) - smooth, -REACH, REACH)
        return self._models[grid].fill(near, max(variance, 1e-4))


def inpaint(
    checkpoint: Checkpoint,
    image: NDArray[np.uint8],
    mask: Mask,
    *,
    steps: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) whose pixels under the mask are new; all others are as they were.

    `mask` is (H, W), or (1, 1) for all or nothing. Raises RuntimeError for sides that are no
    multiples of 32, ValueError for a mask of another size, and Schedule.ddim's for bad steps.
    """
    mask = np.logical_and(mask, np.ones(image.shape[:2], np.bool_))
    constants = checkpoint.constants
    schedule = Schedule.ddim(
        steps,
        eta=0.0,
        every=alphas_cumprod(
            constants["linear_start"], constants["linear_end"], int(constants["timesteps"])
        ),
    )
    check_latent(image.shape[0] // CELL, image.shape[1] // CELL)
    return _fill(image, mask, schedule, rng)


def fill(image: NDArray[np.uint8], mask: Mask, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) whose pixels under the mask come from around it, without a bar."""
    rows, columns = np.nonzero(mask)
    box = _around(rows, len(mask)), _around(columns, len(mask[0]))
    filled = image.copy()
    schedule = Schedule.ddim(QUICK_STEPS, eta=0.0)
    filled[box] = _fill(image[box], mask[box], schedule, rng, label=None)
    return filled


def _around(places: NDArray[np.int64], length: int) -> slice:
    """Return the rows or columns of all places and some more, to multiples of 32."""
    first = max(int(places.min()) - MARGIN, 0)
    last = min(int(places.max()) + MARGIN, length - 1)
    return slice(first // 32 * 32, (last // 32 + 1) * 32)


def _fill(
    image: NDArray[np.uint8],
    mask: Mask,
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    label: str | None = "DDIM Sampler",
) -> NDArray[np.uint8]:
    picture = np.where(mask[..., None], 0, image / 127.5 - 1).astype(np.float32)
    smooth = membrane(picture, mask)
    plain = plainness(smooth, mask)
    latent, hole = pool_known(picture, mask, CELL)
    denoiser = PatchDenoiser(latent, hole, pool(smooth, CELL), pool(plain, CELL), rng)
    noise = rng.standard_normal((1, 3, *hole.shape), dtype=np.float32)
    sample = sampler.ddim(denoiser, noise, schedule, rng, label=label)
    filled = _decode(picture, mask, denoiser.matches(sample), bent(smooth, mask, plain), plain)
    new = np.clip(np.rint((filled + 1) * 127.5), 0, 255).astype(np.uint8)
    return np.where(mask[..., None], new, image)


def _decode(
    picture: Pixels, mask: Mask, matches: Matches | None, smooth: Pixels, plain: Pixels
) -> Pixels:
    """Return the picture at full size from matches on cells."""
    if matches is None or not len(matches.places):
        return smooth
    cell = CELL
    while cell > 1:
        cell //= 2
        finer, hole = pool_known(picture, mask, cell)
        _, matches = refine(finer, hole, matches)
    return stitch(picture, mask, matches, smooth, plain)
