"""A judge of the bundled engine's pictures: colours, shapes, scenes and times of day.

It sees pixels only. Colours are named by hue, saturation and value; shapes by how far their edge
lies from their middle in each direction; scenes and times by ridge regression on statistics of
colour and layout, learned from drawings that no diffusion has touched and tested on others.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from tiny_diffusion import render
from tiny_diffusion.bank import Bank, Layer
from tiny_diffusion.prompt import parse
from tiny_diffusion.scene.shapes import OUTLINES
from tiny_diffusion.scene.world import make_world

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Floats = NDArray[np.float64]

SIZE = 256
ANGLES = 72
TURNS = range(-4, 5)
DARK, PALE, BRIGHT, DULL, SOFT = 0.22, 0.16, 0.84, 0.62, 0.55
HUES = ((15, "red"), (42, "orange"), (65, "yellow"), (165, "green"), (200, "cyan"), (258, "blue"),
        (300, "purple"), (345, "pink"), (360, "red"))  # fmt: skip


def colour_name(rgb: Sequence[float]) -> str:
    """Name a colour (0 … 255)."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in rgb))
    if value < DARK:
        return "black"
    if saturation < PALE:
        return "white" if value > BRIGHT else "gray"
    degrees = hue * 360
    name = next(name for limit, name in HUES if degrees <= limit)
    if name == "orange" and value < DULL:
        return "brown"
    return "pink" if name == "red" and saturation < SOFT else name


@dataclass(frozen=True, slots=True)
class Figure:
    """What is seen on a plain ground."""

    shape: str
    colour: str
    background: str


def figure(picture: Pixels) -> Figure:
    """Judge a picture of one shape on a plain ground."""
    pixels = picture.astype(np.float64)
    edge = max(2, len(picture) // 24)
    frame = np.concatenate(
        [
            pixels[:edge].reshape(-1, 3),
            pixels[-edge:].reshape(-1, 3),
            pixels[:, :edge].reshape(-1, 3),
        ]
    )
    ground = np.median(frame, 0)
    apart = np.linalg.norm(pixels - ground, axis=2)
    mask = apart > 0.5 * np.percentile(apart, 99.5)
    colour = np.median(pixels[mask], 0)
    return Figure(_shape_name(mask), colour_name(colour), colour_name(ground))


def _profile(mask: NDArray[np.bool_]) -> Floats:
    """Give how far a mask's edge lies from its middle in each direction; the mean is 1."""
    rows, columns = np.nonzero(mask)
    y, x = rows - rows.mean(), columns - columns.mean()
    sector = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * ANGLES).astype(int) % ANGLES
    reach = np.zeros(ANGLES)
    np.maximum.at(reach, sector, np.hypot(x, y))
    return np.asarray(reach / max(reach.mean(), 1e-9))


def _reference(name: str) -> Floats:
    image = Image.new("1", (400, 400))
    points = [(200 + 150 * x, 200 + 150 * y) for x, y in OUTLINES[name]]
    ImageDraw.Draw(image).polygon(points, fill=1)
    return _profile(np.asarray(image))


def _shape_name(mask: NDArray[np.bool_]) -> str:
    seen = _profile(mask)

    def distance(name: str) -> float:
        reference = _reference(name)
        return min(float(np.abs(np.roll(reference, turn) - seen).sum()) for turn in TURNS)

    return min(OUTLINES, key=distance)


def drawing(prompt: str, seed: int) -> Pixels:
    """Draw a prompt without diffusion: one world, one version of each part, by chance."""
    world = make_world(parse(prompt), 1.0, 1.0, f"drawing {seed} of {prompt}")
    bank = Bank(world, SIZE // 8, SIZE // 8)
    r = Random(seed)  # noqa: S311 - reproducible drawings, nothing secret
    weights = []
    for layer in bank.layers:
        count = len(layer.cells) if isinstance(layer, Layer) else 1
        weights.append(np.eye(count)[r.randrange(count)])
    return render.to_bytes(render.draw(bank, weights, SIZE, SIZE))


def statistics(picture: Pixels) -> Floats:
    """Give statistics of a picture's colours and layout."""
    small = np.asarray(Image.fromarray(picture).resize((96, 96), Image.Resampling.BOX)) / 255
    light = small.mean(2)
    down, across = np.abs(np.diff(light, axis=0)), np.abs(np.diff(light, axis=1))
    parts = [_grid(small, 6).ravel(), _grid(light[..., None] / (light.mean() + 0.05), 12).ravel()]
    for edges in (down[:95, :95], across[:95, :95]):
        cells = _grid(np.pad(edges, ((0, 1), (0, 1)))[..., None], 8).ravel()
        parts.append(np.sqrt(cells / (edges.mean() + 1e-4)))
    parts += [_reflections(light), down.mean(1)[::4], across.mean(1)[::4]]
    warmth = (small[..., 0] - small[..., 2])[::4].mean(1)
    green = (small[..., 1] - small.mean(2))[::4].mean(1)
    return np.concatenate([*parts, warmth, green])


def _grid(x: Floats, cells: int) -> Floats:
    size = x.shape[0] // cells
    return np.asarray(x.reshape(cells, size, cells, size, -1).mean((1, 3)))


def _reflections(light: Floats) -> Floats:
    """Give, for several horizons, how alike what lies above and below them is."""
    found = []
    for row in range(48, 69, 3):
        depth = 96 - row
        above, below = light[row - depth : row][::-1], light[row:]
        above, below = above - above.mean(1, keepdims=True), below - below.mean(1, keepdims=True)
        scale = np.sqrt((above**2).sum() * (below**2).sum()) + 1e-6
        found.append(float((above * below).sum() / scale))
    return np.asarray(found)


class Judge:
    """Names what a picture shows, by ridge regression on its statistics."""

    def __init__(self, drawings: Mapping[str, Sequence[Floats]], ridge: float = 3.0) -> None:
        """Learn from the statistics of drawings of each name."""
        self.names = list(drawings)
        rows = np.array([s for name in self.names for s in drawings[name]])
        targets = np.repeat(np.eye(len(self.names)), [len(drawings[n]) for n in self.names], axis=0)
        self._mean, self._scale = rows.mean(0), rows.std(0) + 1e-3
        standard = (rows - self._mean) / self._scale
        gram = standard @ standard.T + ridge * len(rows) ** 0.5 * np.eye(len(rows))
        self._weights = standard.T @ np.linalg.solve(gram, targets - targets.mean(0))
        self._offset = targets.mean(0)

    def name(self, statistic: Floats) -> str:
        """Name the picture of a statistic."""
        scores = (statistic - self._mean) / self._scale @ self._weights + self._offset
        return self.names[int(scores.argmax())]
