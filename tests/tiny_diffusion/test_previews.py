"""Previews: what the sampler passes on about its estimate of a picture."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_diffusion import diffusion, previews
from tiny_diffusion.checkpoint import default_path, load
from tiny_diffusion.inpainting import inpaint

from tests.support.tiny_pictures import Pixels, make

NEAR = 0.04
Offered = list[tuple[int, NDArray[np.float32]]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offered:
    found: Offered = []

    def show(estimate: Callable[[], NDArray[np.float32]], index: int) -> None:
        found.append((index, estimate()))

    monkeypatch.setattr(previews, "show", show)
    return found


def repaint(mask: str | None = None) -> Pixels:
    picture = np.full((256, 256, 3), 200, dtype=np.uint8)
    return diffusion.image_to_image(
        None, ["a red heart", "a lake"], picture, steps=10, strength=0.8, scale=5.0, eta=0.0,
        rng=np.random.default_rng(0), mask=mask,
    )  # fmt: skip


def fill() -> Pixels:
    picture = make("a lake", steps=2)[0]
    hole = np.zeros((256, 256), dtype=bool)
    hole[100:150, 60:160] = True
    model = load(
        default_path("models/ldm/inpainting_big/last.ckpt"),
        default_path("models/ldm/inpainting_big/config.yaml"),
    )
    return inpaint(model, picture, hole, steps=10, rng=np.random.default_rng(0))[None]


@pytest.mark.parametrize(
    ("run", "steps", "shape"),
    [
        (lambda: make("a lake", "a city", steps=10), 10, (2, 32, 32, 3)),
        (lambda: make("a lake", steps=10, plms=True, size=(256, 512)), 10, (1, 32, 64, 3)),
        (repaint, 8, (2, 32, 32, 3)),
        (fill, 10, (1, 64, 64, 3)),
    ],
    ids=["text-to-image", "plms", "image-to-image", "inpaint-image"],
)
def test_each_step_offers_an_estimate_and_the_pictures_stay(
    run: Callable[[], Pixels],
    steps: int,
    shape: tuple[int, ...],
    offered: Offered,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = run()
    shown = [pair for pair in offered if pair[1].shape == shape][-steps:]
    assert [index for index, _ in shown] == list(range(steps))[::-1]
    size = shape[2], shape[1]
    resized = (Image.fromarray(p).resize(size, Image.Resampling.BOX) for p in pictures)
    small = np.stack([np.asarray(picture) for picture in resized])
    errors = [np.abs(np.clip(estimate, 0, 1) - small / 255).mean() for _, estimate in shown]
    assert errors[-1] < NEAR
    assert errors[-1] <= errors[0]
    monkeypatch.undo()
    assert (run() == pictures).all()


def test_under_a_mask_the_known_part_is_in_every_estimate(
    offered: Offered, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    Image.new("L", (256, 256)).save(path)
    with Image.open(path) as mask:
        mask.paste(255, (128, 128, 256, 256))
        mask.save(path)
    repaint(str(path))
    assert [index for index, _ in offered] == list(range(8))[::-1]
    for _, estimate in offered:
        assert estimate[:, :14] == pytest.approx(200 / 255, abs=1e-5)
