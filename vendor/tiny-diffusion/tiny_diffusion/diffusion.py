"""Text to image and image to image: what the scripts call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import guide, latent, render, sampler, schedule
from tiny_diffusion.denoiser import SceneDenoiser
from tiny_diffusion.schedule import Schedule
from tiny_diffusion.worlds import worlds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.checkpoint import Checkpoint
    from tiny_diffusion.guide import Guide

    Latents = NDArray[np.float32]


class _Batch:
    """The denoisers of a batch, one for each prompt."""

    def __init__(
        self,
        prompts: Sequence[str],
        shape: tuple[int, ...],
        scale: float,
        source: Guide | None = None,
    ) -> None:
        rows, columns = shape[-2:]
        unit = min(rows, columns)
        self.source = source
        self.items = [
            SceneDenoiser(worlds(p, columns / unit, rows / unit, scale), rows, columns, source)
            for p in prompts
        ]

    def __call__(self, x: Latents, alpha_bar: float) -> Latents:
        """Denoise each picture of the batch."""
        return np.stack([item(z, alpha_bar) for item, z in zip(self.items, x, strict=True)])

    def decode(self, x: Latents) -> NDArray[np.uint8]:
        """Draw each picture of the batch in full size."""
        return np.stack([_decode(i, z, self.source) for i, z in zip(self.items, x, strict=True)])


def _decode(item: SceneDenoiser, z: NDArray[np.float32], source: Guide | None) -> NDArray[np.uint8]:
    if item.bank is None:  # no step was taken: noise
        return render.to_bytes(latent.decode_cells(z))
    rows, columns = z.shape[1] * latent.CELL, z.shape[2] * latent.CELL
    picture = render.draw(item.bank, item.weights, rows, columns)
    if source is not None:
        return render.to_bytes(source.lay_over(picture, item.drawn, (z - item.drawn)[:3]))
    return render.to_bytes(render.add_rest(picture, (z - item.drawn)[:3]))


def _schedule(checkpoint: Checkpoint | None, steps: int, eta: float) -> Schedule:
    constants = checkpoint.constants if checkpoint is not None else {}
    every = schedule.alphas_cumprod(
        constants.get("linear_start", schedule.LINEAR_START),
        constants.get("linear_end", schedule.LINEAR_END),
        int(constants.get("timesteps", schedule.TIMESTEPS)),
    )
    return Schedule.ddim(steps, eta, every)


def text_to_image(
    checkpoint: Checkpoint | None,
    prompts: Sequence[str],
    code: Latents,
    *,
    steps: int,
    scale: float,
    eta: float,
    plms: bool,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Turn start noise (n, 4, H/8, W/8) into pictures (n, H, W, 3), one for each prompt.

    Raises ValueError for PLMS with an eta, ZeroDivisionError, ValueError or IndexError for the
    numbers of steps with which the fork fails.
    """
    if plms and eta != 0:
        raise ValueError("ddim_eta must be 0 for PLMS")
    times = _schedule(checkpoint, steps, eta)
    batch = _Batch(prompts, code.shape, scale)
    x = sampler.plms(batch, code, times) if plms else sampler.ddim(batch, code, times, rng)
    return batch.decode(x)


def image_to_image(
    checkpoint: Checkpoint | None,
    prompts: Sequence[str],
    image: NDArray[np.uint8],
    *,
    steps: int,
    strength: float,
    scale: float,
    eta: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Noise the picture (H, W, 3) to `strength` and denoise it to each prompt: (n, H, W, 3).

    Raises what `text_to_image` raises, and IndexError where `int(strength * steps)` is the number
    of steps that are taken, as the fork does.
    """
    times = _schedule(checkpoint, steps, eta)
    start = int(strength * steps)
    source = guide.make(image, float(times.alphas[start]), scale)
    clean = np.repeat(source.cells[None], len(prompts), 0)
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    x = sampler.add_noise(clean, noise, float(times.alphas[start]))
    batch = _Batch(prompts, clean.shape, scale, source)
    x = sampler.ddim(batch, x, times, rng, start=start, label="Decoding image")
    if start == 0:
        return np.repeat(image[None], len(prompts), 0)
    return batch.decode(x)
