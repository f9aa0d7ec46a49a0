from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]  # the one of this repository

ALPHAS = np.linspace(0.95, 0.05, 10)


class DDIMSampler:
    """The fork's sampler with a network that moves each value by itself; remembers its steps."""

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def stochastic_encode(self, x0: Any, t: Any, noise: Any = None) -> Any:
        if noise is None:
            noise = torch.randn_like(x0)
        alpha = ALPHAS[t][:, None, None, None]
        return np.sqrt(alpha) * x0 + np.sqrt(1 - alpha) * noise

    def decode(self, x_latent: Any, cond: float, t_start: int, unconditional: float) -> Any:
        for index in reversed(range(t_start)):
            ts = torch.from_numpy(np.full(len(x_latent), index))
            x_latent, _ = self.p_sample_ddim(
                x_latent, cond, ts, index=index, unconditional_conditioning=unconditional
            )
        return x_latent

    def p_sample_ddim(
        self, x: Any, c: float, t: Any, index: int, unconditional_conditioning: float = 0
    ) -> Any:
        assert list(t) == [index] * len(x)
        self.steps.append(x)
        estimate = x + c - unconditional_conditioning + 1
        return estimate + 0.1 * torch.randn_like(x), estimate
