"""The bank and the posterior over it."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tiny_diffusion import latent, render
from tiny_diffusion.bank import Bank, Layer, Reflection
from tiny_diffusion.denoiser import SceneDenoiser, composite, over, posterior
from tiny_diffusion.prompt import parse
from tiny_diffusion.scene.world import make_world
from tiny_diffusion.worlds import worlds

Floats = NDArray[np.float64]
LAKE = make_world(parse("a red house on a lake, mountains"), 1.0, 1.0, "lake")


def one_hot(bank: Bank, seed: int) -> list[Floats]:
    r = Random(seed)
    counts = [len(k.cells) if isinstance(k, Layer) else 1 for k in bank.layers]
    return [np.eye(count)[r.randrange(count)] for count in counts]


@given(
    hnp.arrays(float, 5, elements=st.floats(0, 20)),
    st.floats(3, 20),
    hnp.arrays(float, 5, elements=st.floats(-3, 3)),
)
def test_in_strong_noise_weights_are_those_of_bayes(
    distances: Floats, noise: float, prior: Floats
) -> None:
    likelihood = np.exp(prior - distances / (2 * noise**2))
    weights = posterior(distances, 1e-3, noise, prior)
    assert weights == pytest.approx(likelihood / likelihood.sum(), abs=1e-9)


@given(hnp.arrays(float, 5, elements=st.floats(0, 500)), st.floats(0.01, 20), st.floats(1, 300))
def test_the_nearest_is_the_likeliest_and_weights_are_shares(
    distances: Floats, noise: float, spread: float
) -> None:
    weights = posterior(distances, spread, noise)
    assert weights.sum() == pytest.approx(1)
    assert weights[distances.argmin()] == weights.max()


def test_less_noise_decides_more() -> None:
    distances = np.array([1.0, 2.0, 4.0])
    best = [posterior(distances, 2.0, noise)[0] for noise in (10.0, 3.0, 1.0, 0.3, 0.03)]
    assert best == sorted(best)
    assert best[0] < 0.4
    assert best[-1] > 0.99


def test_the_expected_picture_of_a_layer_is_the_picture_of_the_expected_layer() -> None:
    bank = Bank(LAKE, 16, 16)
    behind = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16)).astype(np.float32)
    layer = next(k for k in bank.layers if isinstance(k, Layer) and k.part.name.startswith("house"))
    weights = np.arange(1.0, 1 + len(layer.cells))
    weights /= weights.sum()
    each = [over(behind, layer, np.eye(len(weights))[k]) for k in range(len(weights))]
    expected = sum(w * picture for w, picture in zip(weights, each, strict=True))
    assert over(behind, layer, weights) == pytest.approx(expected, abs=1e-5)


def test_a_reflection_shows_what_is_above_upside_down() -> None:
    bank = Bank(LAKE, 32, 32)
    mirror = next(k for k in bank.layers if isinstance(k, Reflection))
    above = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32)).astype(np.float32)
    whole = mirror.over(above)
    assert (whole[:, : mirror.row] == above[:, : mirror.row]).all()
    correlation = np.corrcoef(whole[0, mirror.row + 1].ravel(), above[0, mirror.row - 2].ravel())
    assert correlation[0, 1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("text", ["a red house on a lake, mountains", "pastel city at night"])
def test_a_small_drawing_is_the_latent_of_the_large_one(text: str) -> None:
    bank = Bank(make_world(parse(text), 1.0, 1.0, "drawn"), 32, 32, [0])
    small = composite(bank.layers)
    weights = [np.ones(1) for _ in bank.layers]
    large = latent.encode(render.draw(bank, weights, 256, 256))
    assert np.abs(small[:3] - large[:3]).mean() < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_the_denoiser_finds_a_scene_of_the_bank_behind_noise(seed: int) -> None:
    text = "two cats in a meadow by day"
    every = worlds(text, 1.0, 1.0, 7.5)
    bank = Bank(every[seed % len(every)][0], 32, 32)
    weights = one_hot(bank, seed)
    clean = latent.encode(render.draw(bank, weights, 256, 256))
    rng = np.random.default_rng(seed)
    alpha_bar = 0.6
    noisy = alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * rng.standard_normal(clean.shape)
    denoiser = SceneDenoiser([(every[seed % len(every)][0], 0.0)], 32, 32, None)
    for _ in range(4):
        found = denoiser(noisy.astype(np.float32), alpha_bar)
    assert np.abs(found - clean)[:3].mean() < 0.08


def test_a_huge_picture_is_found_on_a_pooled_grid() -> None:
    denoiser = SceneDenoiser(worlds("sea", 2.0, 1.0, 7.5), 128, 256, None)
    x = np.random.default_rng(0).standard_normal((4, 128, 256), dtype=np.float32)
    assert denoiser(x, 0.5).shape == (4, 128, 256)
    assert denoiser.bank is not None
    sizes = {k.cells.shape[3] for k in denoiser.bank.layers if isinstance(k, Layer)}
    assert max(sizes) == 128
