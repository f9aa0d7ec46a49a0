"""Image to image with a mask: what is white is repainted, and the rest stays as it is.

A prompt that names things puts them into the masked part of the picture, whose old content is first
filled from its surroundings as inpainting does. Any other prompt repaints that part as it would
the whole picture.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tiny_diffusion import inpainting
from tiny_diffusion.latent import CELL, encode
from tiny_diffusion.sampler import add_noise
from tiny_diffusion.scene.world import Frame
from tiny_diffusion.smooth import blur

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiny_diffusion.guide import Guide
    from tiny_diffusion.prompt import Prompt

    Latents = NDArray[np.float32]

GROWN = 0.1
"""How far things may reach beyond the largest rectangle within the mask, as a share of it."""
FILLED = 0.5
"""The strength from which on nothing of the old content of the mask stays behind things."""
LARGE, LARGE_RIM = 0.4, 0.25
"""The share of a picture, and that of its rim, which is too much to be filled from the rest."""
FEATHER = 12
"""The softest edge of what is repainted, in pixels."""


class Repainting:
    """A picture (H, W, 3) and the part of it that is repainted, from 0 (not) to 1: (H, W)."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        shares: NDArray[np.float32],
        strength: float,
        rng: np.random.Generator,
    ) -> None:
        self._image, self._shares, self._strength, self._rng = image, shares, strength, rng
        rows, columns = shares.shape
        cells = shares.reshape(rows // CELL, CELL, columns // CELL, CELL)
        self._touched = cells.max((1, 3)) > 0
        rim = np.concatenate([shares[0], shares[-1], shares[:, 0], shares[:, -1]])
        self._is_large = float(shares.mean()) > LARGE or float(rim.mean()) > LARGE_RIM
        self._cells = blur(self._touched.astype(np.float32)[..., None], 1)[..., 0]

    def frame(self, prompt: Prompt) -> Frame | None:
        """Return the picture, its masked part filled from its surroundings, and where that is.

        None is for a prompt that needs none: that of a scene, or of nothing in a large part.
        """
        if prompt.is_scene or (self._is_large and prompt.is_empty):
            return None
        rows, columns = self._touched.shape
        left, top, right, bottom = _largest_rectangle(self._touched)
        across, down = (right - left) * GROWN, (bottom - top) * GROWN
        box = (
            max(left - across, 0) / columns,
            max(top - down, 0) / rows,
            min(right + across, columns) / columns,
            min(bottom + down, rows) / rows,
        )
        return Frame(Image.fromarray(self.filled).convert("RGBA"), box)

    def guide(self, source: Guide) -> Guide:
        """Return the guide for things in the frame, which are opaque unless the strength is small.

        `source` is that of the whole picture.
        """
        picture = self.filled.astype(np.float32) / np.float32(255)
        seen = max(1 - self._strength / FILLED, 1e-3)
        return replace(source, picture=picture, cells=encode(picture), noise=source.noise / seen)

    @cached_property
    def filled(self) -> NDArray[np.uint8]:
        """The picture with its masked part filled; at a small strength some of it stays.

        A large part stays as it is: its surroundings hold too little to fill it with.
        """
        if self._is_large:
            return self._image
        filled = inpainting.fill(self._image, self._shares > 0, self._rng)
        share = np.float32(min(self._strength / FILLED, 1))
        mixed = self._image + share * (filled.astype(np.float32) - self._image)
        return np.rint(mixed).astype(np.uint8)

    def keep(self, clean: Latents, noise: Latents, x: Latents, alpha_bar: float) -> Latents:
        """Return latents (n, 4, h, w) whose known part is the picture's at the noise of ᾱ."""
        known = add_noise(clean, noise, alpha_bar)
        return known + self._cells * (x - known)

    def blend(self, repainted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture with its masked part taken from another: outside it is bit for bit."""
        fits = "filled" in self.__dict__  # from its surroundings
        shares = (self._shares if fits else _feathered(self._shares))[..., None]
        mixed = self._image + shares * (repainted.astype(np.float32) - self._image)
        return np.rint(mixed).astype(np.uint8)


def load_mask(path: str, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Return the shares (H, W) of white in a mask fitted to a picture; None if all is white."""
    rows, columns = shape
    with Image.open(path) as image:
        fitted = image.convert("L")
    if fitted.size != (columns, rows):
        fitted = fitted.resize((columns, rows), Image.Resampling.BILINEAR)
    shares = np.asarray(fitted, dtype=np.float32) / np.float32(255)
    return None if shares.min() == 1 else shares


def _largest_rectangle(inside: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the largest rectangle that is all inside."""
    best = (0, (0, 0, inside.shape[1], inside.shape[0]))
    heights = np.zeros(inside.shape[1], dtype=np.int64)
    for row, cells in enumerate(inside):
        heights = np.where(cells, heights + 1, 0)
        rising: list[tuple[int, int]] = []
        for column, height in enumerate([*heights.tolist(), 0]):
            left = column
            while rising and rising[-1][1] >= height:
                left, tall = rising.pop()
                found = (left, row + 1 - tall, column, row + 1)
                best = max(best, (tall * (column - left), found))
            rising.append((left, height))
    return best[1]


def _feathered(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return shares that fall to 0 softly at the edge, but inside it."""
    radius = min(FEATHER, int(np.sqrt(shares.sum()) / 12))
    if radius < 1:
        return shares
    soft = blur(blur((shares > 0).astype(np.float32)[..., None], radius), radius)[..., 0]
    inside = np.clip(2 * soft - 1, 0, 1)
    return shares * inside / max(float(inside.max()), 1e-6)
