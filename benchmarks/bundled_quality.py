"""Measure whether the bundled engine's pictures show what their prompts ask for.

    python benchmarks/bundled_quality.py

It prints how many of 100 `a COLOUR SHAPE on a COLOUR background` have all three right, and of 100
random prompts with a scene and a time of day how many show both, after the judge's own accuracy
on drawings that it has not learned from. The prompts come from a seed that was not used while the
drawings were made.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
os.environ["TQDM_DISABLE"] = "1"  # bars would hide the figures; tqdm reads it when imported
sys.path[:0] = [str(ROOT), str(ROOT / "vendor" / "tiny-diffusion")]

from tiny_diffusion import diffusion  # noqa: E402 - needs the path

if TYPE_CHECKING:
    from numpy.typing import NDArray

from benchmarks.bundled_judge import SIZE, Figure, Judge, drawing, figure, statistics  # noqa: E402 - needs the path

SEED = 20260
STEPS = 8
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")
SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "diamond", "cross")
SCENES = {
    "mountains": ("alpine peaks", "a mountain range", "the alps", "high mountains"),
    "hills": ("rolling hills", "green hills", "countryside", "a valley"),
    "sea": ("the ocean", "a seascape", "the open sea", "waves"),
    "desert": ("sand dunes", "the sahara", "a desert", "dunes"),
    "forest": ("deep woods", "a pine forest", "woodland", "the taiga"),
    "city": ("skyscrapers", "a city skyline", "downtown", "a metropolis"),
    "lake": ("a calm lake", "a pond", "a fjord", "a lake with reflections"),
    "meadow": ("a meadow full of flowers", "a field of tulips", "a flower garden", "poppies"),
    "castle": ("a fortress", "a palace", "an old castle", "a citadel"),
}
TIMES = {
    "day": ("by day", "at noon", "on a sunny day", "in the morning"),
    "sunset": ("at sunset", "at dusk", "in the evening", "at golden hour"),
    "night": ("at night", "at midnight", "under the moon", "on a starry night"),
    "storm": ("in a storm", "in a thunderstorm", "with stormy skies", "with lightning"),
}
DECORATION = ("", "", ", detailed", ", trending on artstation", ", oil on canvas", ", masterpiece")


def generate(prompt: str, seed: int) -> NDArray[np.uint8]:
    """Make the picture (SIZE, SIZE, 3) of a prompt, as txt2img.py does."""
    rng = np.random.default_rng(seed)
    code = rng.standard_normal((1, 4, SIZE // 8, SIZE // 8), dtype=np.float32)
    pictures = diffusion.text_to_image(
        None, [prompt], code, steps=STEPS, scale=7.5, eta=0.0, plms=False, rng=rng
    )
    return np.asarray(pictures[0])


def measure_figures(count: int) -> tuple[int, list[str]]:
    """Judge shapes on plain grounds; give how many are right and what was wrong."""
    r = Random(SEED)  # noqa: S311 - reproducible prompts, nothing secret
    wrong = []
    for seed in range(count):
        colour, ground = r.sample(COLOURS, 2)
        wanted = Figure(r.choice(SHAPES), colour, ground)
        prompt = f"a {wanted.colour} {wanted.shape} on a {wanted.background} background"
        seen = figure(generate(prompt, SEED + seed))
        if seen != wanted:
            wrong.append(f"{prompt}: {seen}")
    return count - len(wrong), wrong


def learn(each: int) -> tuple[Judge, Judge, float]:
    """Learn scenes and times from drawings; give both judges and their accuracy on others."""
    drawn = [
        (scene, time, statistics(drawing(f"{scene} {TIMES[time][0]}", k)))
        for scene in SCENES for time in TIMES for k in range(each)
    ]  # fmt: skip
    test = drawn[::5]
    train = [d for k, d in enumerate(drawn) if k % 5]
    scenes = Judge({s: [f for scene, _, f in train if scene == s] for s in SCENES})
    times = Judge({t: [f for _, time, f in train if time == t] for t in TIMES})
    right = sum(scenes.name(f) == scene and times.name(f) == time for scene, time, f in test)
    return scenes, times, right / len(test)


def measure_scenes(scenes: Judge, times: Judge, count: int) -> tuple[int, list[str]]:
    """Judge random prompts with a scene and a time; give how many are right, and what was wrong."""
    r = Random(SEED + 1)  # noqa: S311 - reproducible prompts, nothing secret
    wrong = []
    for seed in range(count):
        scene, time = r.choice(list(SCENES)), r.choice(list(TIMES))
        prompt = f"{r.choice(SCENES[scene])} {r.choice(TIMES[time])}{r.choice(DECORATION)}"
        seen = statistics(generate(prompt, SEED + seed))
        if (scenes.name(seen), times.name(seen)) != (scene, time):
            wrong.append(f"{prompt}: {scenes.name(seen)}, {times.name(seen)}")
    return count - len(wrong), wrong


def main() -> None:
    """Print the figures."""
    right, wrong = measure_figures(100)
    print(f"shape, colour and background right: {right} of 100", *wrong, sep="\n  ")
    scenes, times, accuracy = learn(15)
    print(f"judge of scene and time, right on other drawings: {accuracy:.1%}")
    right, wrong = measure_scenes(scenes, times, 100)
    print(f"scene and time of day right: {right} of 100", *wrong, sep="\n  ")
    print("most mistaken:", Counter(w.rpartition(": ")[2] for w in wrong).most_common(3))


if __name__ == "__main__":
    main()
