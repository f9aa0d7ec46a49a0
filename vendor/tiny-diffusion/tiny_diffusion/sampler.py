"""DDIM and PLMS: from noise to a latent in the steps of a schedule, with the fork's bars.

DDIM: Song et al. 2020, arXiv 2010.02502. PLMS: Liu et al. 2022, arXiv 2202.09778.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.schedule import Schedule

    Latents = NDArray[np.float32]


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
    label: str = "DDIM Sampler",
) -> Latents:
    """Walk the first `start` times of the schedule (all, if None) downwards; return the latents."""
    count = len(schedule) if start is None else start
    for index in tqdm(range(count)[::-1], desc=label, total=count):
        alpha_bar = float(schedule.alphas[index])
        noise = noise_in(x, denoise(x, alpha_bar), alpha_bar)
        x = _step(x, noise, schedule, index)
        if sigma := float(schedule.sigmas[index]):
            x = x + np.float32(sigma) * rng.standard_normal(x.shape, dtype=np.float32)
    return x


def plms(denoise: Denoiser, x: Latents, schedule: Schedule) -> Latents:
    """Walk the schedule downwards with noise extrapolated from up to four steps."""
    history: list[Latents] = []
    for index in tqdm(range(len(schedule))[::-1], desc="PLMS Sampler", total=len(schedule)):
        alpha_bar = float(schedule.alphas[index])
        noise = noise_in(x, denoise(x, alpha_bar), alpha_bar)
        if history:
            average = _adams_bashforth([*history, noise])
        else:
            ahead = _step(x, noise, schedule, index)
            below = float(schedule.alphas[max(index - 1, 0)])
            average = (noise + noise_in(ahead, denoise(ahead, below), below)) / np.float32(2)
        x = _step(x, average, schedule, index)
        history = [*history[-2:], noise]
    return x


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
