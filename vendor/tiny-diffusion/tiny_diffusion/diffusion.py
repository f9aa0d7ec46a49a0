"""Text to image and image to image: what the scripts call."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion import guide, latent, render, sampler, schedule
from tiny_diffusion.denoiser import SceneDenoiser
from tiny_diffusion.repainting import Repainting, load_mask
from tiny_diffusion.schedule import Schedule
from tiny_diffusion.worlds import worlds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.checkpoint import Checkpoint

    Latents = NDArray[np.float32]


class _Batch:
    """The denoisers of a batch, one for each prompt."""

    def __init__(self, items: Sequence[SceneDenoiser]) -> None:
        self._items = items

    def __call__(self, x: Latents, alpha_bar: float) -> Latents:
        """Denoise each picture of the batch."""
        return np.stack([item(z, alpha_bar) for item, z in zip(self._items, x, strict=True)])

    def decode(self, x: Latents) -> NDArray[np.uint8]:
        """Draw each picture of the batch in full size."""
        return np.stack([_decode(item, z) for item, z in zip(self._items, x, strict=True)])


def _decode(item: SceneDenoiser, z: NDArray[np.float32]) -> NDArray[np.uint8]:
    if item.bank is None:  # no step was taken: noise
        return render.to_bytes(latent.decode_cells(z))
    rows, columns = z.shape[1] * latent.CELL, z.shape[2] * latent.CELL
    picture = render.draw(item.bank, item.weights, rows, columns)
    if item.source is not None:
        return render.to_bytes(item.source.lay_over(picture, item.drawn, (z - item.drawn)[:3]))
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
    negative: str = "",
) -> NDArray[np.uint8]:
    """Turn start noise (n, 4, H/8, W/8) into pictures (n, H, W, 3), one for each prompt.

    They are without what `negative` names.

    Raises ValueError for PLMS with an eta, ZeroDivisionError, ValueError or IndexError for the
    numbers of steps with which the fork fails.
    """
    if plms and eta != 0:
        raise ValueError("ddim_eta must be 0 for PLMS")
    times = _schedule(checkpoint, steps, eta)
    rows, columns = code.shape[-2:]
    size = columns / min(rows, columns), rows / min(rows, columns)
    batch = _Batch(
        [SceneDenoiser(worlds(p, *size, scale, negative=negative), rows, columns) for p in prompts]
    )
    if plms:
        return batch.decode(sampler.plms(batch, code, times))
    return batch.decode(sampler.ddim(batch, code, times, rng))


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
    negative: str = "",
    mask: str | None = None,
) -> NDArray[np.uint8]:
    """Noise the picture (H, W, 3) to `strength` and denoise it to each prompt: (n, H, W, 3).

    They are without what `negative` names. Only what is white in the file `mask` is repainted.

    Raises what `text_to_image` raises, and IndexError where `int(strength * steps)` is the number
    of steps that are taken, as the fork does.
    """
    times = _schedule(checkpoint, steps, eta)
    start = int(strength * steps)
    alpha_bar = float(times.alphas[start])
    source = guide.make(image, alpha_bar, scale)
    clean = np.repeat(source.cells[None], len(prompts), 0)
    noise = rng.standard_normal(clean.shape, dtype=np.float32)
    x = sampler.add_noise(clean, noise, alpha_bar)
    shares = None if mask is None else load_mask(mask, image.shape[:2])
    repainting = None if shares is None else Repainting(image, shares, strength, rng)

    def denoiser(text: str) -> SceneDenoiser:
        rows, columns = source.cells.shape[-2:]
        size = columns / min(rows, columns), rows / min(rows, columns)
        if repainting is None:
            bank = worlds(text, *size, scale, negative=negative)
            return SceneDenoiser(bank, rows, columns, source)
        bank = worlds(text, *size, scale, negative=negative, frame=repainting.frame)
        fits = bank[0][0].frame is not None
        return SceneDenoiser(bank, rows, columns, repainting.guide(source) if fits else source)

    batch = _Batch([denoiser(text) for text in prompts])
    keep = None if repainting is None else partial(repainting.keep, clean, noise)
    x = sampler.ddim(batch, x, times, rng, start=start, label="Decoding image", keep=keep)
    if start == 0:
        return np.repeat(image[None], len(prompts), 0)
    pictures = batch.decode(x)
    return pictures if repainting is None else np.stack([repainting.blend(p) for p in pictures])
