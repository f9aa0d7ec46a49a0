"""Whole pictures, judged by their pixels."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image
from tiny_diffusion import diffusion

from benchmarks.bundled_judge import Figure, colour_name, figure
from tests.support.tiny_pictures import Pixels, make


def remake(picture: Pixels, prompt: str, strength: float, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    pictures = diffusion.image_to_image(
        None, [prompt], picture, steps=24, strength=strength, scale=7.5, eta=0.0, rng=rng
    )
    return np.asarray(pictures[0])


def photograph(name: str) -> Pixels:
    with Image.open(Path(skimage.__file__).parent / "data" / name) as photo:
        return np.asarray(photo.convert("RGB").resize((256, 256)))


def apart(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_the_same_seed_gives_the_same_bytes_and_another_another_picture() -> None:
    first = make("a lake and mountains")
    assert (make("a lake and mountains") == first).all()
    assert apart(make("a lake and mountains", seed=1), first) > 5


def test_a_batch_has_one_picture_for_each_prompt() -> None:
    pictures = make("a red heart on a white background", "a blue star on a yellow background")
    assert [figure(p) for p in pictures] == [
        Figure("heart", "red", "white"),
        Figure("star", "blue", "yellow"),
    ]


@pytest.mark.parametrize("size", [(256, 512), (640, 256), (320, 448)])
@pytest.mark.parametrize("prompt", ["three boats on the sea", "a castle at night", ""])
def test_any_size_is_filled(size: tuple[int, int], prompt: str) -> None:
    picture = make(prompt, size=size, steps=2)[0]
    assert picture.shape == (*size, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_flat_grounds_are_free_of_noise() -> None:
    picture = make("a green square on a pink background", steps=24)[0]
    assert picture[:16].reshape(-1, 3).std(0).max() < 2


def test_one_step_is_noise_few_are_rough_and_many_are_clean() -> None:
    pictures = [make("mountains, day", steps=steps, seed=3)[0] for steps in (1, 2, 24)]
    noise, rough, clean = pictures
    assert noise.astype(float).std() > 60
    assert apart(noise, clean) > 3 * apart(rough, clean) > 1


def test_no_steps_leave_the_noise() -> None:
    picture = make("mountains", steps=-1)[0]
    assert picture.astype(float).std() > 60


def test_plms_and_eta_make_pictures_of_the_prompt_too() -> None:
    prompt, wanted = "a red circle on a blue background", Figure("circle", "red", "blue")
    assert figure(make(prompt, plms=True)[0]) == wanted
    noisy = make(prompt, eta=1.0)
    assert figure(noisy[0]) == wanted
    assert (make(prompt, eta=1.0) == noisy).all()


def test_plms_with_eta_is_an_error() -> None:
    with pytest.raises(ValueError, match="ddim_eta must be 0"):
        make("mountains", plms=True, eta=0.5)


def test_a_low_scale_is_loose_with_the_prompt() -> None:
    def right(scale: float) -> int:
        seen = [
            figure(make("a red circle on a blue background", seed=s, scale=scale, steps=4)[0])
            for s in range(8)
        ]
        return seen.count(Figure("circle", "red", "blue"))

    assert right(7.5) == 8 > right(0.0)


def test_counts_and_sides() -> None:
    picture = make("three black circles on a white background", steps=12)[0]
    dark = picture.mean(-1) < 128
    columns = np.flatnonzero(np.diff(dark.any(0).astype(int)) == 1)
    assert len(columns) == 3
    picture = make("a red circle on the left and a blue square on the right, white background")[0]
    left, right = picture[:, :128].reshape(-1, 3), picture[:, 128:].reshape(-1, 3)
    assert colour_name(np.median(left[left.min(1) < 120], 0)) == "red"
    assert colour_name(np.median(right[right.min(1) < 120], 0)) == "blue"


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("astronaut.png", "a castle at sunset"),
        ("coffee.png", "a lake, day"),
        ("a red heart on a yellow background", "a blue star on a white background"),
    ],
)
def test_image_to_image_goes_from_the_input_to_the_prompt(name: str, prompt: str) -> None:
    picture = photograph(name) if name.endswith("png") else make(name)[0]
    strengths = (0.0, 0.25, 0.5, 0.75, 1.0)
    made = [remake(picture, prompt, strength) for strength in strengths]
    assert (made[0] == picture).all()
    assert all(apart(a, picture) < apart(b, picture) for a, b in pairwise(made))
    assert all(apart(a, made[-1]) > apart(b, made[-1]) for a, b in pairwise(made))


def test_full_strength_ignores_the_input() -> None:
    black = np.zeros((256, 256, 3), dtype=np.uint8)
    assert figure(remake(black, "a red star on a white background", 1.0)) == Figure(
        "star", "red", "white"
    )


def test_full_strength_is_an_error_where_it_is_one_in_the_fork() -> None:
    rng = np.random.default_rng(0)
    picture = np.zeros((256, 256, 3), dtype=np.uint8)
    with pytest.raises(IndexError):
        diffusion.image_to_image(
            None, ["sea"], picture, steps=50, strength=1.0, scale=7.5, eta=0.0, rng=rng
        )
