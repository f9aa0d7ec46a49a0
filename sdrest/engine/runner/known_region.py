"""Keeps what a mask does not cover, while img2img.py samples, which has no option for a mask.

Before each step the known region of the latent becomes that of the source, noised to the level of
the step with the noise of the start, as in the `mask` and `x0` of latent-diffusion's samplers.
After the last step it is that of the source. The script draws its own random numbers, no others.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks


class KnownRegion:
    """The mask of the running job, if it has one, and the latents that its batch started from."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._source: Any = None
        self._noise: Any = None
        self._repainted: Any = None

    def begin(self, path: str | None) -> None:
        """Start a job; `path` is its mask, in the size of its image and white where to repaint."""
        self._path = path
        self._source = self._noise = self._repainted = None

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the fork's sampler once it is imported."""
        imports.when_imported("ldm.models.diffusion.ddim", self._wrap)

    def _wrap(self, module: Any) -> None:
        owner = module.DDIMSampler
        encode, step = owner.stochastic_encode, owner.p_sample_ddim

        @functools.wraps(encode)
        def stochastic_encode(sampler: Any, x0: Any, t: Any, *others: Any, **options: Any) -> Any:
            if self._path is not None and not others and not options:  # as img2img.py calls it
                options["noise"] = self._start(x0)
            return encode(sampler, x0, t, *others, **options)

        @functools.wraps(step)
        def p_sample_ddim(sampler: Any, x: Any, c: Any, t: Any, index: int, **options: Any) -> Any:
            if self._source is None:
                return step(sampler, x, c, t, index, **options)
            level = t.new_full(t.shape, index)
            known = encode(sampler, self._source, level, noise=self._noise)
            x, estimate = step(sampler, self._mix(x, known), c, t, index, **options)
            if index == 0:
                x = self._mix(x, self._source)
            return x, self._mix(estimate, self._source)

        owner.stochastic_encode = stochastic_encode
        owner.p_sample_ddim = p_sample_ddim

    def _start(self, source: Any) -> Any:
        """Note what a batch starts from; return its noise, drawn as the sampler draws it."""
        torch = importlib.import_module("torch")
        if self._repainted is None:
            cells = _cells(str(self._path), source.shape[-2], source.shape[-1])
            self._repainted = torch.from_numpy(cells).to(source)
        self._source, self._noise = source, torch.randn_like(source)
        return self._noise

    def _mix(self, latent: Any, known: Any) -> Any:
        return latent * self._repainted + known * (1 - self._repainted)


def _cells(path: str, height: int, width: int) -> Any:
    """Return how much of each cell of the latent is repainted, from 0 to 1.

    A cell of which anything is repainted is 1. The cells around have the mean of their neighbours,
    so that the edge is soft; their pixels are restored afterwards.
    """
    np = importlib.import_module("numpy")
    image = importlib.import_module("PIL.Image")
    with image.open(path) as mask:
        white = np.asarray(mask) > 0
    whole = white.reshape(height, -1, width, white.shape[1] // width).max(axis=(1, 3))
    padded = np.pad(whole.astype("float32"), 1, mode="edge")
    shifted = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.maximum(whole, sum(shifted) / len(shifted)).astype("float32")
