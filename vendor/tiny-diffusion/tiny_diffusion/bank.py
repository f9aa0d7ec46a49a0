"""The bank: every version of every part of a world, drawn small as latents, or large as pixels.

A layer's latent is premultiplied by its opacity, which is its fifth channel, so that "over" is
linear in each layer: the expected picture of independent layers is the picture of their
expectations, and so is its latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from tiny_diffusion.scene.canvas import Canvas
from tiny_diffusion.scene.compose import compose
from tiny_diffusion.scene.style import Style
from tiny_diffusion.scene.world import Mirror, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tiny_diffusion.scene.world import World

    Cells = NDArray[np.float32]

FINE = 2  # pixels of a small drawing along each side of a cell
SMALL = 48  # grids with a side of fewer cells are drawn with twice as many pixels
SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Layer:
    """All versions of one part: latents (versions, 5, rows, columns) of the box they cover."""

    part: Part
    cells: Cells
    top: int
    left: int

    @property
    def box(self) -> tuple[slice, slice]:
        """Where the layer is in the grid of cells."""
        rows, columns = self.cells.shape[2:]
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)


@dataclass(frozen=True, slots=True)
class Reflection:
    """A mirror in the grid: rows below `row` show those above, dimmed towards a colour."""

    mirror: Mirror
    row: int
    colour: Cells

    def over(self, behind: Cells) -> Cells:
        """Give the latent (4, rows, columns) of the picture behind and its reflection."""
        out = behind.copy()
        rows = behind.shape[1]
        source = np.minimum(np.arange(rows - self.row), max(self.row - 1, 0))
        flipped = behind[:, : self.row][:, ::-1][:, source]
        amount = np.float32(self.mirror.amount)
        out[:3, self.row :] = flipped[:3] * (1 - amount) + self.colour * amount
        out[3, self.row :] = -flipped[3] * (1 - amount)
        return out


class Bank:
    """The layers of one world on a grid of cells."""

    def __init__(
        self, world: World, rows: int, columns: int, versions: Sequence[int] | None = None
    ) -> None:
        """Draw all versions of all parts, or of each part the one that `versions` turns to."""
        self.style = Style(world.prompt.styles)
        self.world = world
        self.layers: list[Layer | Reflection] = []
        for part in compose(world):
            if isinstance(part, Mirror):
                self.layers.append(self._reflection(part, rows))
                continue
            wanted = (
                range(part.versions) if versions is None else [v % part.versions for v in versions]
            )
            drawn = [self._small(part, v, rows, columns) for v in wanted]
            layer = _stack(part, drawn)
            if layer is not None:
                self.layers.append(layer)

    def _canvas(self, part: Part, version: int, rows: int, columns: int) -> Canvas:
        canvas = Canvas(columns, rows, self.world.palette)
        seed = f"{self.world.seed}/{part.name}/{version}"
        part.draw(canvas, Random(seed))  # noqa: S311 - reproducible drawings, nothing secret
        return canvas

    def _small(self, part: Part, version: int, rows: int, columns: int) -> tuple[Cells, int, int]:
        finer = 1 if min(rows, columns) >= SMALL else 2
        canvas = self._canvas(part, version, rows * FINE * finer, columns * FINE * finer)
        pixels, top, left = canvas.pixels(finer)
        above, before = top % FINE, left % FINE
        below, after = -(above + pixels.shape[0]) % FINE, -(before + pixels.shape[1]) % FINE
        pixels = np.pad(pixels, ((above, below), (before, after), (0, 0)))
        return _cells(self.style.apply(pixels)), top // FINE, left // FINE

    def _reflection(self, mirror: Mirror, rows: int) -> Reflection:
        row = min(max(1, round(mirror.horizon / self.world.height * rows)), rows - 1)
        pixel = np.array([[[*mirror.colour, 1.0]]], dtype=np.float32)
        colour = 2 * self.style.apply(pixel)[0, 0, :3, None, None] - 1
        return Reflection(mirror, row, colour)

    def draw(self, part: Part, version: int, rows: int, columns: int) -> tuple[Cells, int, int]:
        """Draw one version large: premultiplied pixels without style, top, left."""
        canvas = self._canvas(part, version, rows * SUPERSAMPLING, columns * SUPERSAMPLING)
        return canvas.pixels(SUPERSAMPLING)


def _cells(pixels: Cells) -> Cells:
    """Give the latent (5, rows, columns) of premultiplied pixels, `FINE` to a cell."""
    signed = pixels.copy()
    signed[..., :3] = 2 * pixels[..., :3] - pixels[..., 3:]
    halves = signed[:, 0::2] + signed[:, 1::2]
    upper, lower = halves[0::2], halves[1::2]
    cells = np.empty((5, *upper.shape[:2]), dtype=np.float32)
    for channel, source in ((0, 0), (1, 1), (2, 2), (4, 3)):
        cells[channel] = (upper[..., source] + lower[..., source]) / 4
    apart = upper - lower
    cells[3] = (apart[..., 0] + apart[..., 1] + apart[..., 2]) / 12
    return cells


def _stack(part: Part, drawn: Sequence[tuple[Cells, int, int]]) -> Layer | None:
    """Put versions into one array over the box that holds them all."""
    seen = [(cells, top, left) for cells, top, left in drawn if cells.size]
    if not seen:
        return None
    top, left = min(t for _, t, _ in seen), min(x for _, _, x in seen)
    bottom = max(t + cells.shape[1] for cells, t, _ in seen)
    right = max(x + cells.shape[2] for cells, _, x in seen)
    stacked = np.zeros((len(drawn), 5, bottom - top, right - left), dtype=np.float32)
    for k, (cells, t, x) in enumerate(drawn):
        if cells.size:
            stacked[
                k, :, t - top : t - top + cells.shape[1], x - left : x - left + cells.shape[2]
            ] = cells
    return Layer(part, stacked, top, left)
