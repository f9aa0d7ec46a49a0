"""A canvas in premultiplied RGBA, measured in units of the picture's shorter side.

Opaque shapes on an empty canvas are premultiplied as they are, and pasting through a soft mask
mixes all four channels alike, so drawings stay free of dark fringes when they are made smaller.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

Colour = tuple[float, float, float]
Point = tuple[float, float]


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """Go from `a` to `b` by `amount` (0 … 1)."""
    return (
        a[0] + (b[0] - a[0]) * amount,
        a[1] + (b[1] - a[1]) * amount,
        a[2] + (b[2] - a[2]) * amount,
    )


def bright(colour: Colour, factor: float) -> Colour:
    """Multiply a colour by `factor`."""
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _rgba(colour: Colour) -> tuple[int, int, int, int]:
    r, g, b = (round(min(255.0, max(0.0, c))) for c in colour)
    return (r, g, b, 255)


class Canvas:
    """`width` by `height` units, one of which is 1 and none smaller; x to the right, y down."""

    def __init__(
        self, columns: int, rows: int, palette: Callable[[Colour], Colour] | None = None
    ) -> None:
        """Make an empty canvas of so many pixels; `palette` replaces the colours that are drawn."""
        self.palette = palette
        self._rgba = _rgba if palette is None else lambda colour: _rgba(palette(colour))
        self.scale = float(min(columns, rows))
        self.width = columns / self.scale
        self.height = rows / self.scale
        self.image = Image.new("RGBA", (columns, rows), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def pixels(self, factor: int = 1) -> tuple[NDArray[np.float32], int, int]:
        """Give what was drawn, cropped: premultiplied pixels (rows, columns, 4), 0 … 1; top; left.

        Each of the pixels is the mean of `factor` x `factor` of the canvas.
        """
        box = self.image.getbbox()
        if box is None:
            return np.zeros((0, 0, 4), dtype=np.float32), 0, 0
        left, top = (v // factor * factor for v in box[:2])
        right, bottom = (-(-v // factor) * factor for v in box[2:])
        drawn = np.asarray(self.image.crop((left, top, right, bottom)))
        total = np.zeros((drawn.shape[0] // factor, drawn.shape[1] // factor, 4), dtype=np.uint16)
        for row in range(factor):
            for column in range(factor):
                total += drawn[row::factor, column::factor]
        mean = (total / np.float32(255 * factor**2)).astype(np.float32)
        return mean, top // factor, left // factor

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        """Fill a polygon."""
        s = self.scale
        self._draw.polygon([(x * s, y * s) for x, y in points], fill=self._rgba(colour))

    def rectangle(self, left: float, top: float, right: float, bottom: float, c: Colour) -> None:
        """Fill a rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], c)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        self.ellipse(x, y, radius, radius, colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill an upright ellipse."""
        s = self.scale
        box = ((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s)
        self._draw.ellipse(box, fill=self._rgba(colour))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round joints."""
        s = self.scale
        pixels = max(1, round(width * s))
        scaled = [(x * s, y * s) for x, y in points]
        self._draw.line(scaled, fill=self._rgba(colour), width=pixels, joint="curve")
        if pixels > 2:
            for x, y in points:
                self.disc(x, y, width / 2, colour)

    def arc(self, at: Point, radii: Point, span: Point, width: float, colour: Colour) -> None:
        """Draw the part of an ellipse's outline between two angles (degrees, clockwise)."""
        s = self.scale
        (x, y), (rx, ry) = at, radii
        box = ((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s)
        pixels = max(1, round(width * s))
        self._draw.arc(box, span[0], span[1], fill=self._rgba(colour), width=pixels)

    def gradient(self, top: float, bottom: float, stops: Sequence[Colour]) -> None:
        """Fill the band between two heights with colours from top to bottom, evenly spaced."""
        self._fill(None, top, bottom, stops)

    def ground(
        self, outline: Sequence[float], stops: Sequence[Colour], bottom: float | None = None
    ) -> None:
        """Fill what lies below an outline (heights, evenly spaced from left to right)."""
        bottom = self.height if bottom is None else bottom
        xs = np.linspace(0, self.width, len(outline))
        points = [(0.0, bottom), *zip(xs.tolist(), outline, strict=True), (self.width, bottom)]
        self._fill(points, min(outline), bottom, stops)

    def shaded(self, points: Sequence[Point], stops: Sequence[Colour]) -> None:
        """Fill a polygon with colours from its top to its bottom."""
        self._fill(points, min(y for _, y in points), max(y for _, y in points), stops)

    def _fill(
        self,
        points: Sequence[Point] | None,
        top: float,
        bottom: float,
        stops: Sequence[Colour],
    ) -> None:
        columns, rows = self.image.size
        s = self.scale
        first, last = max(0, math.floor(top * s)), min(rows, math.ceil(bottom * s))
        if last <= first:
            return
        if self.palette is not None:
            stops = [self.palette(stop) for stop in stops]
        at = (np.arange(first, last) / s - top) / max(bottom - top, 1e-6) * (len(stops) - 1)
        ramp = np.stack(
            [np.interp(at, range(len(stops)), [c[i] for c in stops]) for i in range(3)], 1
        )
        strip = np.clip(ramp + 0.5, 0, 255).astype(np.uint8)[:, None]
        filled = Image.fromarray(strip).resize((columns, last - first), Image.Resampling.NEAREST)
        mask = None
        if points is not None:
            mask = Image.new("L", filled.size, 0)
            ImageDraw.Draw(mask).polygon([(x * s, y * s - first) for x, y in points], fill=255)
        self.image.paste(filled.convert("RGBA"), (0, first), mask)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Add a soft round light, strongest in the middle."""
        t = np.linspace(-1, 1, 33)
        fall = np.clip(1 - np.hypot(t[:, None], t[None]), 0, 1) ** 1.8 * strength * 255
        self._soft(fall, (x - radius, y - radius, x + radius, y + radius), colour)

    def haze(self, top: float, bottom: float, colour: Colour, strength: float) -> None:
        """Lay a veil over a band, strongest at its bottom and gone at its top."""
        fall = np.linspace(0, 1, 64)[:, None] ** 1.5 * strength * 255
        self._soft(np.repeat(fall, 2, 1), (0, top, self.width, bottom), colour)

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float = 0.35) -> None:
        """Darken an ellipse softly."""
        t = np.linspace(-1, 1, 33)
        fall = np.clip(1 - np.hypot(t[:, None], t[None]) ** 2, 0, 1) * strength * 255
        self._soft(fall, (x - rx, y - ry, x + rx, y + ry), (16, 20, 34))

    def _soft(
        self, strengths: NDArray[np.float64], box: tuple[float, float, float, float], colour: Colour
    ) -> None:
        s = self.scale
        left, top, right, bottom = (round(v * s) for v in box)
        size = (max(1, right - left), max(1, bottom - top))
        mask = Image.fromarray(strengths.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
        # An image, not a colour: Pillow blends a colour into transparency as if not premultiplied.
        self.image.paste(Image.new("RGBA", size, self._rgba(colour)), (left, top), mask)
