"""Image to image with a mask: what is repainted, and what stays bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from tiny_diffusion import diffusion, sampler
from tiny_diffusion.repainting import _largest_rectangle
from tiny_diffusion.schedule import Schedule

from tests.support.tiny_pictures import Pixels, make, shares_of_colours

ELLIPSE, RECTANGLE, TOP = (96, 24, 232, 160), (64, 128, 208, 240), (0, 0, 255, 110)


@pytest.fixture(scope="module")
def lake() -> Pixels:
    return np.asarray(make("a red house on a lake by day, mountains", seed=2)[0])


def mask(folder: Path, box: tuple[int, int, int, int], *, soft: bool = False) -> Path:
    picture = Image.new("L", (256, 256))
    draw = ImageDraw.Draw(picture)
    (draw.ellipse if box is ELLIPSE else draw.rectangle)(box, fill=255)
    if soft:
        picture = picture.filter(ImageFilter.GaussianBlur(6))
    path = folder / "mask.png"
    picture.save(path)
    return path


def repaint(
    picture: Pixels, where: Path | None, *prompts: str, strength: float = 0.75, seed: int = 0
) -> Pixels:
    return diffusion.image_to_image(
        None, prompts, picture, steps=20, strength=strength, scale=7.5, eta=0.0,
        rng=np.random.default_rng(seed), mask=None if where is None else str(where),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "box", "soft"),
    [
        ("a hot air balloon", ELLIPSE, True),
        ("desert", RECTANGLE, False),
        ("desert", ELLIPSE, True),
        ("", RECTANGLE, False),
        ("at night", TOP, False),
    ],
)
def test_only_what_is_white_changes(
    tmp_path: Path, lake: Pixels, prompt: str, box: tuple[int, int, int, int], *, soft: bool
) -> None:
    path = mask(tmp_path, box, soft=soft)
    repainted = repaint(lake, path, prompt)[0]
    white = np.asarray(Image.open(path))
    assert (repainted[white == 0] == lake[white == 0]).all()
    assert np.abs(repainted[white == 255].astype(int) - lake[white == 255]).mean() > 8
    assert (repaint(lake, path, prompt)[0] == repainted).all()


def test_an_all_white_mask_gives_the_bytes_of_none(tmp_path: Path, lake: Pixels) -> None:
    path = mask(tmp_path, (0, 0, 255, 255))
    assert (repaint(lake, path, "a desert") == repaint(lake, None, "a desert")).all()


def test_a_strength_without_steps_gives_the_source(tmp_path: Path, lake: Pixels) -> None:
    assert (repaint(lake, mask(tmp_path, RECTANGLE), "a cat", strength=0.0)[0] == lake).all()


def test_a_thing_is_drawn_within_the_mask_and_the_old_content_is_gone(tmp_path: Path) -> None:
    picture = make("a small red circle on a white background", seed=1, steps=24)[0]
    red = (picture[..., 0] > 150) & (picture[..., 1] < 90)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    box = (int(columns[0]) - 6, int(rows[0]) - 6, int(columns[-1]) + 6, int(rows[-1]) + 6)
    where = mask(tmp_path, box)
    inside = np.s_[box[1] : box[3], box[0] : box[2]]
    blue, none = repaint(picture, where, "a blue star", "")
    assert "red" not in shares_of_colours(blue) | shares_of_colours(none)
    assert shares_of_colours(blue[inside])["blue"] > 0.1
    assert shares_of_colours(none[inside])["white"] > 0.95


@pytest.mark.parametrize("box", [(0, 0, 255, 90), (20, 20, 235, 235)])
def test_a_large_part_keeps_its_content_behind_things(
    tmp_path: Path, lake: Pixels, box: tuple[int, int, int, int]
) -> None:
    repainted = repaint(lake, mask(tmp_path, box), "a small red balloon")[0]
    assert 0.005 < (np.abs(repainted.astype(int) - lake).max(2) > 40).mean() < 0.25


def test_a_small_strength_leaves_the_old_content(tmp_path: Path, lake: Pixels) -> None:
    where = mask(tmp_path, RECTANGLE)
    changes = [
        np.abs(repaint(lake, where, "a black cat", strength=s)[0].astype(int) - lake).mean()
        for s in (0.1, 0.3, 0.75)
    ]
    assert changes == sorted(changes)
    assert changes[0] < changes[-1] / 3


def test_a_mask_of_another_size_is_fitted(tmp_path: Path, lake: Pixels) -> None:
    path = tmp_path / "small.png"
    Image.open(mask(tmp_path, RECTANGLE)).resize((64, 64)).save(path)
    repainted = repaint(lake, path, "desert")[0]
    assert (repainted[:120] == lake[:120]).all()
    assert (repainted[160:208, 96:176] != lake[160:208, 96:176]).mean() > 0.5


def test_what_is_known_is_put_back_in_each_step() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 4, 8, 8), dtype=np.float32)
    clean, seen = np.full_like(noise, 0.5), []

    def denoise(x: NDArray[np.float32], alpha_bar: float) -> NDArray[np.float32]:
        seen.append((x[..., :4].copy(), sampler.add_noise(clean, noise, alpha_bar)[..., :4]))
        return np.zeros_like(x)

    def keep(x: NDArray[np.float32], alpha_bar: float) -> NDArray[np.float32]:
        known = sampler.add_noise(clean, noise, alpha_bar)
        return np.concatenate([known[..., :4], x[..., 4:]], 3)

    schedule = Schedule.ddim(5, 0.0)
    x = sampler.ddim(denoise, noise, schedule, np.random.default_rng(0), keep=keep)
    assert len(seen) == 5
    assert all((given == known).all() for given, known in seen)
    assert (x[..., :4] == 0.5).all()
    assert (x[..., 4:] != 0.5).all()


@given(hnp.arrays(bool, (6, 7)))
def test_the_largest_rectangle_is_found(inside: NDArray[np.bool_]) -> None:
    areas = [
        (bottom - top) * (right - left)
        for top in range(6)
        for bottom in range(top + 1, 7)
        for left in range(7)
        for right in range(left + 1, 8)
        if inside[top:bottom, left:right].all()
    ]
    left, top, right, bottom = _largest_rectangle(inside)
    if areas:
        assert inside[top:bottom, left:right].all()
        assert (bottom - top) * (right - left) == max(areas)
