"""A pen that draws one thing: in the thing's own coordinates, already in the picture's light.

The thing stands on (0, 0) and is about one unit high; x to the right, y *up*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Canvas, Colour, Point, bright

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tiny_diffusion.scene.colours import Light


class Pen:
    """Draws a thing of `size` standing at (x, y) of a canvas, turned to the left if `mirror`."""

    def __init__(
        self,
        canvas: Canvas,
        at: Point,
        size: float,
        light: Light,
        r: Random,
        *,
        mirror: bool = False,
    ) -> None:
        self.canvas = canvas
        self.light = light
        self.r = r
        self.at = at
        self.size = size
        self._side = -size if mirror else size

    def part(self, x: float, y: float, size: float) -> Pen:
        """Give a pen for a smaller thing that stands on (x, y) of this one."""
        return Pen(self.canvas, self._point((x, y)), self.size * size, self.light, self.r)

    def tone(self, colour: Colour, factor: float = 1.0) -> Colour:
        """Give a colour as the light shows it."""
        return self.light.thing(bright(colour, factor))

    def _point(self, point: Point) -> Point:
        return (self.at[0] + point[0] * self._side, self.at[1] - point[1] * self.size)

    def shape(self, points: Sequence[Point], colour: Colour, factor: float = 1.0) -> None:
        """Fill a polygon."""
        self.canvas.polygon([self._point(p) for p in points], self.tone(colour, factor))

    def box(self, low: Point, high: Point, colour: Colour, factor: float = 1.0) -> None:
        """Fill a rectangle between its lower left and upper right corners."""
        (left, bottom), (right, top) = low, high
        self.shape([(left, bottom), (right, bottom), (right, top), (left, top)], colour, factor)

    def disc(self, x: float, y: float, radius: float, colour: Colour, factor: float = 1.0) -> None:
        """Fill a circle."""
        self.oval((x, y), (radius, radius), colour, factor)

    def oval(self, at: Point, radii: Point, colour: Colour, factor: float = 1.0) -> None:
        """Fill an ellipse."""
        x, y = self._point(at)
        rx, ry = radii[0] * self.size, radii[1] * self.size
        self.canvas.ellipse(x, y, rx, ry, self.tone(colour, factor))

    def stroke(
        self, points: Sequence[Point], width: float, colour: Colour, factor: float = 1.0
    ) -> None:
        """Draw a line."""
        self.canvas.line(
            [self._point(p) for p in points], width * self.size, self.tone(colour, factor)
        )

    def lamp(self, x: float, y: float, radius: float) -> None:
        """Shine softly, after dark only."""
        if self.light.dark:
            cx, cy = self._point((x, y))
            self.canvas.glow(cx, cy, radius * self.size, (255, 214, 120), 0.4)

    def glass(self) -> Colour:
        """Give the colour of a window, which is lit after dark."""
        lit: Colour = (255, 220, 124)
        return bright(lit, 1 / max(0.66, self.light.level)) if self.light.dark else (176, 214, 236)

    def shadow(self, half_width: float) -> None:
        """Lay a soft shadow under the thing."""
        cx, cy = self._point((0, 0))
        w = half_width * self.size
        self.canvas.shadow(cx, cy, w, w * 0.16)
