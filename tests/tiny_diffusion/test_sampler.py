"""DDIM and PLMS on distributions whose exact denoiser is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_diffusion import sampler
from tiny_diffusion.schedule import Schedule

Latents = NDArray[np.float32]
SHAPE = (1, 4, 24, 24)


def noise(seed: int) -> Latents:
    return np.random.default_rng(seed).standard_normal(SHAPE, dtype=np.float32)


def gaussian(mean: float, deviation: float) -> sampler.Denoiser:
    """Give the posterior mean of values that are independent and normal."""

    def denoise(x: Latents, alpha_bar: float) -> Latents:
        gain = alpha_bar**0.5 * deviation**2 / (alpha_bar * deviation**2 + 1 - alpha_bar)
        return np.asarray(mean + gain * (x - alpha_bar**0.5 * mean), dtype=np.float32)

    return denoise


def test_ddim_samples_the_distribution_whose_denoiser_it_is_given() -> None:
    schedule = Schedule.ddim(50, 0.0)
    x = sampler.ddim(gaussian(0.3, 0.5), noise(1), schedule, np.random.default_rng(0))
    assert x.mean() == pytest.approx(0.3, abs=0.05)
    assert x.std() == pytest.approx(0.5, abs=0.05)


def test_ddim_with_eta_samples_it_too_but_elsewhere() -> None:
    schedule = Schedule.ddim(50, 1.0)
    first = sampler.ddim(gaussian(0.3, 0.5), noise(1), schedule, np.random.default_rng(0))
    other = sampler.ddim(gaussian(0.3, 0.5), noise(1), schedule, np.random.default_rng(1))
    assert first.std() == pytest.approx(0.5, abs=0.06)
    assert np.abs(first - other).mean() > 0.1


def test_plms_is_nearer_to_the_exact_flow_than_ddim() -> None:
    denoise, start = gaussian(0.0, 0.5), noise(2)
    exact = sampler.ddim(denoise, start, Schedule.ddim(500, 0.0), np.random.default_rng(0))
    coarse = Schedule.ddim(20, 0.0)
    ddim = sampler.ddim(denoise, start, coarse, np.random.default_rng(0))
    plms = sampler.plms(denoise, start, coarse)
    assert np.abs(plms - exact).mean() < np.abs(ddim - exact).mean()


def test_a_start_within_the_schedule_takes_that_many_steps() -> None:
    seen: list[float] = []

    def denoise(x: Latents, alpha_bar: float) -> Latents:
        seen.append(alpha_bar)
        return x

    schedule = Schedule.ddim(10, 0.0)
    sampler.ddim(denoise, noise(3), schedule, np.random.default_rng(0), start=4)
    assert seen == sorted(seen) == [float(a) for a in schedule.alphas[:4][::-1]]


def test_noise_is_what_was_added() -> None:
    clean, added = noise(4), noise(5)
    noisy = sampler.add_noise(clean, added, 0.4)
    assert sampler.noise_in(noisy, clean, 0.4) == pytest.approx(added, abs=1e-5)
