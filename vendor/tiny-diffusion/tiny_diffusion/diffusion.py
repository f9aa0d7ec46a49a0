"""Text to image and image to image: what the scripts call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import latent, sampler
from tiny_diffusion.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def _flat(x: NDArray[np.float32], alpha_bar: float) -> NDArray[np.float32]:
    """Early denoiser: the sky's colours, chosen by the noise's mean."""
    n, _, h, w = x.shape
    out = np.zeros_like(x)
    t = np.linspace(0, 1, h, dtype=np.float32)[None, :, None]
    for i in range(n):
        hue = np.float32(x[i].mean() * 5)
        out[i, 0] = t[0] - 0.5 + 0.3 * np.sin(hue) + np.zeros((h, w))
        out[i, 1] = t[0] - 0.4 + np.zeros((h, w))
        out[i, 2] = 0.5 + np.zeros((h, w))
    return out


def text_to_image(
    checkpoint: object,
    prompts: Sequence[str],
    code: NDArray[np.float32],
    *,
    steps: int,
    scale: float,
    eta: float,
    plms: bool,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Turn start noise (n, 4, H/8, W/8) into pictures (n, H, W, 3), one for each prompt."""
    if plms and eta != 0:
        raise ValueError("ddim_eta must be 0 for PLMS")
    schedule = Schedule.ddim(steps, eta)
    x = sampler.plms(_flat, code, schedule) if plms else sampler.ddim(_flat, code, schedule, rng)
    return np.stack([(latent.decode_cells(z) * 255).astype(np.uint8) for z in x])


def image_to_image(
    checkpoint: object,
    prompts: Sequence[str],
    image: NDArray[np.uint8],
    *,
    steps: int,
    strength: float,
    scale: float,
    eta: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Noise the picture (H, W, 3) to `strength` and denoise it to each prompt: (n, H, W, 3)."""
    schedule = Schedule.ddim(steps, eta)
    start = int(strength * steps)
    clean = latent.encode(image.astype(np.float32) / 255)
    clean = np.repeat(clean[None], len(prompts), 0)
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    x = sampler.add_noise(clean, noise, float(schedule.alphas[start]))
    x = sampler.ddim(_flat, x, schedule, rng, start=start, label="Decoding image")
    return np.stack([(latent.decode_cells(z) * 255).astype(np.uint8) for z in x])
