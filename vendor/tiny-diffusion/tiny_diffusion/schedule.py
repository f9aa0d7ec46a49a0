"""The noise schedule of Stable Diffusion v1 and the fork's choice of DDIM steps from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINEAR_START = 0.00085
LINEAR_END = 0.0120
TIMESTEPS = 1000


def alphas_cumprod(
    linear_start: float = LINEAR_START,
    linear_end: float = LINEAR_END,
    timesteps: int = TIMESTEPS,
) -> NDArray[np.float64]:
    """Give ᾱ for t = 0 … 999: a picture at t is sqrt(ᾱ) times itself plus sqrt(1 - ᾱ) noise.

    The betas are the squares of a line, which the fork's configuration calls "linear".
    """
    betas = np.linspace(linear_start**0.5, linear_end**0.5, timesteps) ** 2
    return np.asarray(np.cumprod(1.0 - betas), dtype=np.float64)


def ddim_timesteps(steps: int, timesteps: int = TIMESTEPS) -> NDArray[np.int64]:
    """Choose the times to visit, ascending, as the fork's `make_ddim_timesteps("uniform")` does.

    The stride is `1000 // steps`, so 7 asks for 8 steps, 0 divides by zero, more than 1000 is a
    ValueError, and a negative number visits nothing.
    """
    stride = timesteps // steps
    return np.asarray(range(0, timesteps, stride), dtype=np.int64) + 1


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of one run, ascending, with ᾱ at each and at the one before, and DDIM's sigmas."""

    timesteps: NDArray[np.int64]
    alphas: NDArray[np.float64]
    alphas_prev: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.timesteps)

    @classmethod
    def ddim(cls, steps: int, eta: float, every: NDArray[np.float64] | None = None) -> Schedule:
        """Build the schedule of `steps` steps; eta 0 is deterministic, 1 is DDPM's own noise.

        `every` is ᾱ at all times of training, by default that of Stable Diffusion v1.

        An IndexError follows where the last time is 1000, as with 3 or 9 steps: the fork's bug,
        kept so that the server meets the same failures with either engine.
        """
        every = alphas_cumprod() if every is None else every
        timesteps = ddim_timesteps(steps, len(every))
        alphas = every[timesteps]
        previous = np.concatenate([every[:1], every[timesteps[:-1]]])[: len(timesteps)]
        sigmas = eta * np.sqrt((1 - previous) / (1 - alphas) * (1 - alphas / previous))
        return cls(timesteps, alphas, previous, sigmas)
