"""Plain shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiny_diffusion.scene.canvas import Canvas, Colour, Point


def _regular(corners: int, phase: float) -> list[Point]:
    return [
        (math.cos(phase + 2 * math.pi * k / corners), math.sin(phase + 2 * math.pi * k / corners))
        for k in range(corners)
    ]


def _star() -> list[Point]:
    spikes = [(1.0 if k % 2 == 0 else 0.42, -math.pi / 2 + math.pi * k / 5) for k in range(10)]
    return [(q * math.cos(a), 0.06 + q * math.sin(a)) for q, a in spikes]


def _heart() -> list[Point]:
    points = []
    for k in range(72):
        t = 2 * math.pi * k / 72
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((math.sin(t) ** 3, -y / 16 - 0.05))
    return points


def _crescent() -> list[Point]:
    outer = [math.pi / 2 + math.pi * k / 40 for k in range(41)]
    points = [(0.3 + math.cos(a), math.sin(a)) for a in outer]
    return points + [(0.3 + 0.42 * math.cos(a), math.sin(a)) for a in reversed(outer)]


_CROSS = [
    (-0.3, -0.95),
    (0.3, -0.95),
    (0.3, -0.3),
    (0.95, -0.3),
    (0.95, 0.3),
    (0.3, 0.3),
    (0.3, 0.95),
    (-0.3, 0.95),
    (-0.3, 0.3),
    (-0.95, 0.3),
    (-0.95, -0.3),
    (-0.3, -0.3),
]
_ARROW = [
    (0.95, 0.0),
    (0.2, -0.7),
    (0.2, -0.28),
    (-0.95, -0.28),
    (-0.95, 0.28),
    (0.2, 0.28),
    (0.2, 0.7),
]

OUTLINES: dict[str, Sequence[Point]] = {
    "circle": _regular(96, 0),
    "square": [(-0.82, -0.82), (0.82, -0.82), (0.82, 0.82), (-0.82, 0.82)],
    "triangle": [(0.0, -0.95), (0.98, 0.75), (-0.98, 0.75)],
    "star": _star(),
    "heart": _heart(),
    "rectangle": [(-1.0, -0.6), (1.0, -0.6), (1.0, 0.6), (-1.0, 0.6)],
    "diamond": [(0.0, -1.0), (0.72, 0.0), (0.0, 1.0), (-0.72, 0.0)],
    "pentagon": _regular(5, -math.pi / 2),
    "hexagon": _regular(6, 0),
    "oval": [(x, 0.64 * y) for x, y in _regular(96, 0)],
    "crescent": _crescent(),
    "cross": _CROSS,
    "arrow": _ARROW,
}


def shape(c: Canvas, name: str, at: Point, radius: float, *, turn: float, colour: Colour) -> None:
    """Draw a shape within a circle about `at`, turned by `turn` radians."""
    cos, sin = math.cos(turn), math.sin(turn)
    c.polygon(
        [
            (at[0] + radius * (x * cos - y * sin), at[1] + radius * (x * sin + y * cos))
            for x, y in OUTLINES[name]
        ],
        colour,
    )


def ring(c: Canvas, at: Point, radius: float, colour: Colour) -> None:
    """Draw a ring."""
    c.arc((at[0], at[1]), (radius, radius), (0, 360), radius * 0.3, colour)
