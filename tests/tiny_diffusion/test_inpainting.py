"""Inpainting: nothing outside the mask changes, and no seam shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import data
from tiny_diffusion import smooth
from tiny_diffusion.checkpoint import load
from tiny_diffusion.inpainting import inpaint

from tests.support.tiny import ENGINE

FOLDER = ENGINE / "models/ldm/inpainting_big"
CHECKPOINT = load(str(FOLDER / "last.ckpt"), str(FOLDER / "config.yaml"))

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def _fill(picture: Picture, mask: Mask, *, steps: int = 16, seed: int = 1) -> Picture:
    return inpaint(CHECKPOINT, picture, mask, steps=steps, rng=np.random.default_rng(seed))


def _disc(side: int, radius: float) -> Mask:
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    return np.asarray(np.hypot(y, x) < radius)


def _sky(side: int) -> Picture:
    y, x = np.mgrid[:side, :side] / side
    return np.stack([40 + 150 * y + 40 * x, 100 + 110 * y, 210 + 40 * y], 2).astype(np.uint8)


def _chequers(side: int, square: int) -> Picture:
    y, x = np.mgrid[:side, :side] // square
    return np.where((y + x)[..., None] % 2, (230, 225, 210), (40, 60, 120)).astype(np.uint8)


def _texture(name: str, side: int) -> Picture:
    grey = getattr(data, name)()[:side, :side]
    return np.repeat(grey[..., None], 3, 2)


def _steps_across(picture: Picture, mask: Mask) -> tuple[float, float]:
    """Return the mean step between neighbours across the mask's rim, and everywhere outside."""
    step = np.abs(np.diff(picture.astype(float), axis=1)).mean(2)
    rim = mask[:, 1:] != mask[:, :-1]
    outside = ~mask[:, 1:] & ~mask[:, :-1]
    return float(step[rim].mean()), float(step[outside].mean())


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 3),
    columns=st.integers(1, 3),
    steps=st.sampled_from([-1, 1, 2, 8]),
    share=st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
def test_what_is_not_masked_stays_bit_for_bit(
    rows: int, columns: int, steps: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (32 * rows, 32 * columns)
    picture = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    mask = rng.random((4 * rows, 4 * columns)).repeat(8, 0).repeat(8, 1) < share
    filled = _fill(picture, mask, steps=steps, seed=seed)
    assert filled.shape == picture.shape
    assert filled.dtype == np.uint8
    assert np.array_equal(filled[~mask], picture[~mask])
    assert np.array_equal(filled, _fill(picture, mask, steps=steps, seed=seed))


def test_a_sky_goes_on_without_a_step() -> None:
    picture, mask = _sky(256), _disc(256, 70)
    filled = _fill(picture, mask)
    assert np.abs(filled.astype(int) - picture).max() <= 6


def test_a_flat_colour_stays_flat() -> None:
    picture = np.full((128, 128, 3), (200, 30, 90), np.uint8)
    assert np.abs(_fill(picture, _disc(128, 40)).astype(int) - picture).max() <= 1


def test_a_chequered_pattern_goes_on_in_step() -> None:
    picture, mask = _chequers(256, 16), _disc(256, 60)
    wrong = (np.abs(_fill(picture, mask).astype(int) - picture).max(2) > 20)[mask]
    assert wrong.mean() < 0.02


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_a_texture_goes_on_without_a_seam(name: str) -> None:
    picture, mask = _texture(name, 256), _disc(256, 60)
    filled = _fill(picture, mask)
    across, outside = _steps_across(filled, mask)
    assert across < 1.5 * outside
    assert 0.6 < filled[mask].std() / picture[~mask].std() < 1.3
    assert abs(filled[mask].mean() - picture[~mask].mean()) < 15


def test_seeds_give_different_pictures() -> None:
    picture, mask = _texture("grass", 128), _disc(128, 40)
    first, second = _fill(picture, mask, seed=1), _fill(picture, mask, seed=2)
    assert (first != second)[mask].mean() > 0.3


def test_a_mask_of_one_pixel_means_all_or_nothing() -> None:
    picture = _texture("grass", 64)
    assert np.array_equal(_fill(picture, np.zeros((1, 1), np.bool_)), picture)
    assert len(np.unique(_fill(picture, np.ones((1, 1), np.bool_)))) == 1


def test_a_mask_of_another_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        _fill(_sky(64), np.ones((32, 32), np.bool_))


@pytest.mark.parametrize("height", [30, 66, 264, 258])
def test_sides_that_are_no_multiples_of_32_are_an_error(height: int) -> None:
    picture = np.zeros((height, 64, 3), np.uint8)
    with pytest.raises((RuntimeError, ValueError), match=r"Sizes of tensors|cannot reshape"):
        _fill(picture, np.ones((height, 64), np.bool_))


def test_a_membrane_keeps_to_the_rim_and_has_no_hills() -> None:
    picture = np.random.default_rng(1).random((64, 64, 1), dtype=np.float32)
    hole = _disc(64, 20)
    filled = smooth.membrane(picture, hole)
    assert np.array_equal(filled[~hole], picture[~hole])
    assert filled[hole].max() <= picture[~hole].max()
    around = filled[:-2, 1:-1] + filled[2:, 1:-1] + filled[1:-1, :-2] + filled[1:-1, 2:]
    off = np.abs(around / 4 - filled[1:-1, 1:-1])[hole[1:-1, 1:-1]]
    assert off.max() < 0.02


def test_plainness_distinguishes_a_sky_from_a_texture() -> None:
    hole = _disc(128, 30)
    for picture, least, most in ((_sky(128), 0.9, 1.0), (_texture("gravel", 128), 0.0, 0.1)):
        filled = smooth.membrane((picture / 127.5 - 1).astype(np.float32), hole)
        assert least <= smooth.plainness(filled, hole)[hole].mean() <= most
