"""Image to image: what of the input outlives the noise, and how it is laid over the drawing.

Beside its drawing a picture has a rest: what the bank cannot draw. Rests are taken as Gaussian with
power 1/f at f waves across the picture, so what is expected of one that is seen through noise is
Wiener's filter of it: coarse forms outlive the noise, fine ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import latent
from tiny_diffusion.render import grow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]
    Picture = NDArray[np.float32]

POWER = 12.0  # of a rest at one wave across the picture's shorter side
FORGOTTEN = 0.1  # a share of a wave that is not worth keeping: full strength ignores the input
WINDOW = 2  # cells to each side of one in which the rest is compared with the input's


@dataclass(frozen=True, slots=True)
class Guide:
    """The input, as a picture (H, W, 3) of 0 … 1 and as a latent (4, h, w), noised to a level.

    `noise` is the standard deviation beside a picture of full strength; a higher guidance `scale`
    believes more in the prompt.
    """

    picture: Picture
    cells: Cells
    noise: float
    scale: float

    def outliving(self, drawn: Cells) -> Cells:
        """Give what is expected to outlive the noise of what the input has beside a drawing."""
        rest = self.cells - drawn
        _, rows, columns = rest.shape
        unit = min(rows, columns)
        down, across = np.fft.fftfreq(rows) * unit, np.fft.rfftfreq(columns) * unit
        waves = np.maximum(np.hypot(down[:, None], across[None]), 0.7)
        power = POWER / waves * (7.5 / max(self.scale, 1.0)) ** 0.5
        gain = np.maximum(power / (power + self.noise**2) - FORGOTTEN, 0) / (1 - FORGOTTEN)
        kept = np.fft.irfft2(np.fft.rfft2(rest) * gain, s=(rows, columns))
        return kept.astype(np.float32)

    def lay_over(self, drawing: Picture, drawn: Cells, rest: Cells) -> Picture:
        """Add a rest (3, h, w) to a drawing whose latent is `drawn`, sharp where the input is.

        In each window the rest is a share of the difference between input and drawing, plus a
        constant: the share is applied to the full-size difference (He et al. 2013, guided filter).
        """
        apart = self.cells[:3] - drawn[:3]
        mean_rest, mean_apart = _blur(rest), _blur(apart)
        covariance = (_blur(rest * apart) - mean_rest * mean_apart).sum(0)
        variance = (_blur(apart * apart) - mean_apart**2).sum(0)
        share = np.clip(((covariance + 1e-3) / (variance + 2e-3) - 0.3) / 0.45, 0, 1)
        share = _blur((share * share * (3 - 2 * share))[None])
        base = mean_rest - share * mean_apart
        rows, columns, _ = drawing.shape
        fine = grow(share, columns, rows)
        laid = drawing + fine * (self.picture - drawing) + grow(base, columns, rows) / 2
        return laid.astype(np.float32)


def make(image: NDArray[np.uint8], alpha_bar: float, scale: float) -> Guide:
    """Take an input picture (H, W, 3) that is noised to the level ᾱ."""
    picture = image.astype(np.float32) / np.float32(255)
    noise = ((1 - alpha_bar) / alpha_bar) ** 0.5
    return Guide(picture, latent.encode(picture), noise, scale)


def _blur(x: Cells) -> Cells:
    """Give the mean of each cell's window, the edge repeated outwards."""
    r = WINDOW
    for axis in (1, 2):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (r, r)
        padded = np.pad(x, pad, mode="edge")
        count = x.shape[axis]
        total = np.zeros_like(x)
        for k in range(2 * r + 1):
            total += np.take(padded, range(k, k + count), axis)
        x = total / np.float32(2 * r + 1)
    return x
