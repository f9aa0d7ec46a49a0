"""Previews from steps of a sampler: which image, how often, what is sent."""

import base64
import importlib.util
import io
import itertools
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdrest.engine.runner.previews import Previews
from tests.fakes.running import FORK

SIZE = (64, 48)
"""Width and height of the latents."""


def load(path: str) -> ModuleType:
    """Return a module of the fake fork."""
    spec = importlib.util.spec_from_file_location("fake", FORK / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Run:
    """A job whose sampler takes steps of `seconds`, and whose previews take `cost`."""

    def __init__(self, *, seconds: float = 0.3, cost: float = 0.0, count: int = 1) -> None:
        self.now = 100.0
        self.sent: list[dict[str, Any]] = []
        self._seconds, self._cost = seconds, cost
        self._ddim = load("ldm/models/diffusion/ddim.py")
        self.latents: Any = np.zeros((count, 4, *SIZE[::-1]), dtype=np.float32)
        self.previews = Previews(lambda: self.now)
        self.previews.watch(SimpleNamespace(when_imported=self._import))  # type: ignore[arg-type]  # as much of it as is used
        self.previews.begin(self._report)

    def steps(self, count: int) -> None:
        """Sample a batch in so many steps."""
        sampler, x = self._ddim.DDIMSampler(), self._ddim.Tensor(self.latents)
        for index in reversed(range(count)):
            self.now += self._seconds
            result = sampler.p_sample_ddim(x, None, None, index=index)
            assert result == (x, x)

    def pixels(self) -> Any:
        """Return the last preview's pixels."""
        with Image.open(io.BytesIO(base64.b64decode(self.sent[-1]["data"]))) as picture:
            return np.asarray(picture)

    def _import(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        if name.endswith(".ddim"):
            callback(self._ddim)

    def _report(self, name: str, content: dict[str, Any]) -> None:
        assert name == "preview"
        self.sent.append({**content, "at": self.now})
        self.now += self._cost


@pytest.mark.parametrize(
    ("seconds", "cost", "gap"),
    [
        (0.1, 0.0, 0.5),
        (0.3, 0.0, 0.6),  # the second step after half a second
        (2.0, 0.0, 2.0),  # each step
        (0.1, 0.06, 2.06),  # 3 % of the time between two
        (9.0, 0.3, 18.3),
    ],
)
def test_previews_are_rare_enough_to_cost_little(seconds: float, cost: float, gap: float) -> None:
    run = Run(seconds=seconds, cost=cost)
    run.steps(200)
    times = [preview["at"] for preview in run.sent]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps
    assert all(abs(found - gap) < seconds for found in gaps), gaps
    assert min(gaps) >= max(0.5, cost / 0.03 + cost) - 1e-9


@pytest.mark.parametrize(("count", "images"), [(1, [1, 2, 3]), (4, [1, 5, 9])])
@pytest.mark.parametrize("steps", [1, 8])
def test_they_are_of_the_first_image_of_each_batch(
    count: int, images: list[int], steps: int
) -> None:
    run = Run(seconds=1.0, count=count)
    for _ in images:
        run.steps(steps)
    assert [preview["image"] for preview in run.sent] == list(np.repeat(images, steps))


def test_a_later_job_starts_from_its_first_image() -> None:
    run = Run(seconds=1.0)
    run.steps(3)
    run.previews.begin(run._report)
    run.steps(1)
    assert run.sent[-1]["image"] == 1


def test_without_a_wish_nothing_is_sent() -> None:
    run = Run()
    run.previews.begin(None)
    run.steps(3)
    assert run.sent == []


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("value", "grey"), [(-9.0, 0), (9.0, 255), (0.0, 128), (np.nan, 0)])
def test_latents_become_colours(channels: int, value: float, grey: int) -> None:
    run = Run()
    run.latents = np.full((2, channels, *SIZE[::-1]), value, dtype=np.float32)
    before = run.latents.copy()
    run.steps(1)
    pixels = run.pixels()
    assert pixels.shape == (*SIZE[::-1], 3)
    assert abs(pixels.astype(int) - grey).max() <= 2
    assert np.array_equal(run.latents, before, equal_nan=True)
    assert run.sent[-1]["type"] == "image/jpeg"


def test_a_large_one_is_made_smaller_in_its_proportions() -> None:
    run = Run()
    run.latents = np.zeros((1, 4, 300, 520), dtype=np.float32)
    run.steps(1)
    assert run.pixels().shape == (100, 174, 3)


def test_without_jpeg_it_is_a_png(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.preinit()
    monkeypatch.delitem(Image.SAVE, "JPEG")
    run = Run()
    run.steps(1)
    assert run.sent[-1]["type"] == "image/png"
    assert run.pixels().shape == (*SIZE[::-1], 3)


@pytest.mark.parametrize("latents", [np.zeros((1, 5, 8, 8)), np.zeros((1, 4)), None])
def test_an_estimate_that_is_no_picture_ends_previews_and_not_the_job(latents: Any) -> None:
    run = Run(seconds=1.0)
    run.latents = latents
    run.steps(2)
    run.latents = np.zeros((1, 4, 8, 8), dtype=np.float32)
    run.steps(2)
    assert run.sent == []


def test_another_engine_offers_pictures() -> None:
    module = ModuleType("tiny_diffusion.previews")
    run = Run()
    run.previews._wrap_show(module)
    asked: list[int] = []

    def estimate() -> Any:
        asked.append(1)
        return np.full((2, 400, 200, 3), [1.0, 0.5, -3.0])

    for batch in range(2):
        for index in (2, 1, 0):
            run.now += 0.3
            module.show(estimate, index)
        assert run.sent[-1]["image"] == 2 * batch + 1
    assert len(asked) == len(run.sent) == 3
    assert run.pixels().shape == (200, 100, 3)
    assert abs(run.pixels()[0, 0].astype(int) - [255, 128, 0]).max() <= 3
