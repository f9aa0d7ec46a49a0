"""Pictures of the bundled engine, made in this process."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from tiny_diffusion import diffusion

from benchmarks.bundled_judge import colour_name

Pixels = NDArray[np.uint8]


def make(
    *prompts: str,
    seed: int = 0,
    steps: int = 8,
    size: tuple[int, int] = (256, 256),
    scale: float = 7.5,
    eta: float = 0.0,
    plms: bool = False,
    negative: str = "",
) -> Pixels:
    """Return one picture for each prompt."""
    rng = np.random.default_rng(seed)
    shape = (len(prompts), 4, size[0] // 8, size[1] // 8)
    code = rng.standard_normal(shape, dtype=np.float32)
    return diffusion.text_to_image(
        None, prompts, code, steps=steps, scale=scale, eta=eta, plms=plms, rng=rng,
        negative=negative,
    )  # fmt: skip


def shares_of_colours(picture: Pixels) -> dict[str, float]:
    """Return how much of a picture has each colour."""
    pixels = picture[::4, ::4].reshape(-1, 3)
    counts = Counter(colour_name(pixel) for pixel in pixels.tolist())
    return {name: count / len(pixels) for name, count in counts.items()}
