"""DDIM and PLMS: from noise to a latent in the steps of a schedule, with the fork's bars.

DDIM: Song et al. 2020, arXiv 2010.02502. PLMS: Liu et al. 2022, arXiv 2202.09778.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
from tqdm import tqdm

from tiny_diffusion import previews

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.schedule import Schedule

    Latents = NDArray[np.float32]
    Keep = Callable[[Latents, float], Latents]
    """Returns latents of the level ᾱ with what is known of them put in its place."""


class Denoiser(Protocol):
    """What stands in for the trained network."""

    def __call__(self, x: Latents, alpha_bar: float) -> Latents:
        """Give the expected clean latents (n, 4, h, w) behind `x`, whose noise is 1 - ᾱ."""
        ...


def noise_in(x: Latents, clean: Latents, alpha_bar: float) -> Latents:
    """Give the noise that takes `clean` to `x` (what a trained network predicts)."""
    noise = (x - np.float32(alpha_bar**0.5) * clean) / np.float32((1 - alpha_bar) ** 0.5)
    return np.asarray(noise, dtype=np.float32)


def add_noise(clean: Latents, noise: Latents, alpha_bar: float) -> Latents:
    """Give `clean` noised to the level ᾱ."""
    noisy = np.float32(alpha_bar**0.5) * clean + np.float32((1 - alpha_bar) ** 0.5) * noise
    return np.asarray(noisy, dtype=np.float32)


def ddim(
    denoise: Denoiser,
    x: Latents,
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    start: int | None = None,
    label: str | None = "DDIM Sampler",
    keep: Keep | None = None,
) -> Latents:
    """Walk the first `start` times of the schedule (all, if None) downwards; return the latents.

    Without a label there are no bar and no previews.
    """
    count = len(schedule) if start is None else start
    for index in tqdm(range(count)[::-1], desc=label, total=count, disable=label is None):
        alpha_bar = float(schedule.alphas[index])
        x = x if keep is None else keep(x, alpha_bar)
        clean = denoise(x, alpha_bar)
        x = _step(x, noise_in(x, clean, alpha_bar), schedule, index)
        if sigma := float(schedule.sigmas[index]):
            x = x + np.float32(sigma) * rng.standard_normal(x.shape, dtype=np.float32)
        if label is not None:
            previews.show(partial(_colours, clean if keep is None else keep(clean, 1.0)), index)
    return x if keep is None else keep(x, 1.0)


def plms(denoise: Denoiser, x: Latents, schedule: Schedule) -> Latents:
    """Walk the schedule downwards with noise extrapolated from up to four steps."""
    history: list[Latents] = []
    for index in tqdm(range(len(schedule))[::-1], desc="PLMS Sampler", total=len(schedule)):
        alpha_bar = float(schedule.alphas[index])
        clean = denoise(x, alpha_bar)
        noise = noise_in(x, clean, alpha_bar)
        if history:
            average = _adams_bashforth([*history, noise])
        else:
            ahead = _step(x, noise, schedule, index)
            below = float(schedule.alphas[max(index - 1, 0)])
            average = (noise + noise_in(ahead, denoise(ahead, below), below)) / np.float32(2)
        x = _step(x, average, schedule, index)
        history = [*history[-2:], noise]
        previews.show(partial(_colours, clean), index)
    return x


def _colours(clean: Latents) -> Latents:
    """Give the mean colours (n, h, w, 3) of the cells of clean latents, 0 … 1."""
    return np.asarray((clean[:, :3].transpose(0, 2, 3, 1) + 1) / 2, dtype=np.float32)


def _step(x: Latents, noise: Latents, schedule: Schedule, index: int) -> Latents:
    """Take one deterministic step: remove the noise of this time, add that of the one before."""
    alpha_bar, previous = float(schedule.alphas[index]), float(schedule.alphas_prev[index])
    clean = (x - np.float32((1 - alpha_bar) ** 0.5) * noise) / np.float32(alpha_bar**0.5)
    left = max(1 - previous - float(schedule.sigmas[index]) ** 2, 0.0)
    stepped = np.float32(previous**0.5) * clean + np.float32(left**0.5) * noise
    return np.asarray(stepped, dtype=np.float32)


def _adams_bashforth(noises: Sequence[Latents]) -> Latents:
    """Extrapolate from two to four noises, oldest first."""
    weights = {2: (-1, 3), 3: (5, -16, 23), 4: (-9, 37, -59, 55)}[len(noises)]
    total = sum(np.float32(w) * n for w, n in zip(weights, noises, strict=True))
    return np.asarray(total / np.float32(sum(weights)), dtype=np.float32)
