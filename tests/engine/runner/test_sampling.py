"""What a job changes in how scripts sample, with a repository of the fork's shape."""

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sdrest.engine.runner import main
from tests.support.paths import FAKES

REPOSITORY = FAKES / "latent"
OPTIONS = {"seed": 1, "prompt": "fox", "scale": 7.5, "batch": 2, "iterations": 2, "steps": 4}
SIZE = (128, 64)


class Runner:
    """A runner in this process, and a mask whose left half is white."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = main.RunnerState()
        self.mask = str(folder / "mask.png")
        self.paint((0, 0, 64, 64))

    def paint(self, box: tuple[int, int, int, int]) -> None:
        """Make a mask with one white box."""
        mask = Image.new("L", SIZE)
        mask.paste(255, box)
        mask.save(self.mask)

    def run(self, sampling: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Return what the script saw of a job that asks for changes."""
        out = self.folder / "out"
        job: dict[str, Any] = {
            "id": "1",
            "script": str(REPOSITORY / "scripts" / "img2img.py"),
            "arguments": [json.dumps({**OPTIONS, **options, "out": str(out)})],
            "path": [str(REPOSITORY / "scripts"), str(REPOSITORY)],
            "cwd": str(self.folder),
            "seed": None,
            "takes_precision": False,
            "preload": False,
            "sampling": sampling,
        }
        self.state.sampling.begin(sampling, lambda *_: None)
        assert main.run(job, self.state) == (0, None, True)
        seen: dict[str, Any] = pickle.loads(out.read_bytes())
        return seen


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in {"torch", "ldm"}]:
        del sys.modules[name]


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    forget()
    made = Runner(tmp_path)
    with made.state.watch_imports():
        yield made
    forget()


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one["asked"] == other["asked"] and all(
        np.array_equal(one[name], other[name]) for name in ("steps", "made", "next")
    )


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, [["fog"] * 2, ["fox"] * 2] * 2),
        ({"prompt": ""}, [["fog"] * 2, [""] * 2] * 2),
        ({"batch": 1, "iterations": 1}, [["fog"], ["fox"]]),
    ],
)
def test_a_negative_prompt_takes_the_place_of_the_empty_one(
    runner: Runner, options: dict[str, Any], asked: list[list[str]]
) -> None:
    seen = runner.run({"negative_prompt": "fog"}, **options)
    assert seen["asked"] == asked
    assert equal(seen, runner.run({"negative_prompt": "fog"}, **options))
    assert not equal(seen, runner.run({}, **options))


@pytest.mark.parametrize("options", [{}, {"scale": 1.0}, {"prompt": ""}])
def test_jobs_that_ask_for_nothing_are_not_changed(runner: Runner, options: dict[str, Any]) -> None:
    forget()
    bare = Runner(runner.folder).run({}, **options)  # it watches no imports
    forget()
    assert equal(runner.run({}, **options), bare)
    runner.run({"negative_prompt": "fog", "mask": runner.mask})
    assert equal(runner.run({}, **options), bare)


def test_the_known_region_is_the_source_at_the_noise_level_of_each_step(runner: Runner) -> None:
    plain, masked = runner.run({}), runner.run({"mask": runner.mask})
    source = masked["source"]
    alphas = sys.modules["ldm.models.diffusion.ddim"].ALPHAS
    for n, made in enumerate(masked["made"]):
        noises = []
        for index, x in zip((3, 2, 1, 0), masked["steps"][4 * n : 4 * n + 4], strict=True):
            alpha = alphas[index]
            noises.append((x - np.sqrt(alpha) * source) / np.sqrt(1 - alpha))
        known = [noise[..., 9:] for noise in noises]
        assert np.allclose(known, known[0])
        assert 0.8 < np.std(known[0]) < 1.2
        assert np.array_equal(made[..., 9:], source[..., 9:])
        assert np.array_equal(made[..., :8], plain["made"][n][..., :8])  # the network mixes nothing
        assert not {*made[..., 8].flat} & {*source[..., 8].flat, *plain["made"][n][..., 8].flat}
    assert np.array_equal(plain["next"], masked["next"])
    assert not np.array_equal(masked["made"][0], masked["made"][1])
    assert equal(masked, runner.run({"mask": runner.mask}))


def test_a_white_mask_changes_nothing(runner: Runner) -> None:
    runner.paint((0, 0, *SIZE))
    assert equal(runner.run({"mask": runner.mask}), runner.run({}))


@pytest.mark.parametrize("steps", [0, 1])
def test_a_mask_with_hardly_any_steps(runner: Runner, steps: int) -> None:
    masked = runner.run({"mask": runner.mask}, steps=steps)
    assert len(masked["steps"]) == 2 * steps
    assert np.array_equal(masked["next"], runner.run({}, steps=steps)["next"])


def test_a_cell_is_repainted_if_a_pixel_of_it_is_white(runner: Runner) -> None:
    runner.paint((20, 20, 21, 21))
    plain, masked = runner.run({})["made"][0], runner.run({"mask": runner.mask})
    changed = (masked["made"][0] != masked["source"])[0, 0]
    assert [{*where} for where in np.nonzero(changed)] == [{1, 2, 3}, {1, 2, 3}]
    assert masked["made"][0][0, 0, 2, 2] == plain[0, 0, 2, 2]
