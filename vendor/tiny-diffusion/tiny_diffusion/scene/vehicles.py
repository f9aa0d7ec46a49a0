"""Boats, balloons and what else carries people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Colour, mix

if TYPE_CHECKING:
    from tiny_diffusion.scene.pen import Pen

WOOD: Colour = (116, 82, 56)
CREAM: Colour = (250, 246, 234)
RUBBER: Colour = (36, 36, 44)


def boat(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a sailing boat; the colour is that of its hull."""
    del snow
    p.shadow(0.75)
    hull = [(-0.56, 0.2), (0.6, 0.22), (0.42, -0.02), (-0.42, -0.02)]
    p.shape(hull, colour)
    p.shape([(-0.48, 0.1), (0.51, 0.1), (0.42, -0.02), (-0.42, -0.02)], colour, 0.76)
    p.shape([(-0.56, 0.2), (0.6, 0.22), (0.58, 0.19), (-0.54, 0.17)], mix(colour, CREAM, 0.7))
    p.stroke([(0, 0.2), (0, 1.06)], 0.03, WOOD)
    sail = CREAM if colour[0] + colour[1] + colour[2] < 690 else (236, 228, 212)
    p.shape([(0.04, 1.0), (0.12, 0.62), (0.52, 0.3), (0.04, 0.3)], sail)
    p.shape([(-0.04, 0.9), (-0.1, 0.58), (-0.4, 0.3), (-0.04, 0.3)], sail, 0.9)
    p.shape([(0, 1.06), (0, 1.14), (0.14, 1.1)], colour if sail is CREAM else (206, 60, 60))


def ship(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a steamer with a funnel."""
    del snow
    p.shadow(0.9)
    p.shape([(-0.75, 0.26), (0.85, 0.3), (0.66, 0.0), (-0.62, 0.0)], colour)
    p.shape([(-0.66, 0.08), (0.71, 0.08), (0.66, 0.0), (-0.62, 0.0)], colour, 0.7)
    p.box((-0.5, 0.26), (0.4, 0.44), CREAM)
    p.box((-0.34, 0.44), (0.24, 0.58), CREAM, 0.94)
    p.box((-0.12, 0.58), (0.06, 0.86), (206, 66, 56))
    p.box((-0.12, 0.74), (0.06, 0.8), CREAM)
    for k in range(5):
        p.disc(-0.4 + k * 0.18, 0.34, 0.035, p.glass())
    for k, q in enumerate((0.07, 0.1, 0.13)):
        p.disc(-0.06 - 0.13 * k, 0.94 + 0.09 * k, q, (206, 208, 214))


def balloon(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a hot air balloon with its basket."""
    del snow
    light = mix(colour, (255, 255, 255), 0.5)

    def gore(outer: float, tone: Colour, factor: float) -> None:
        points = []
        for k in range(41):
            a = math.pi * (k / 40)
            points.append(
                (
                    outer * math.sin(a) * (1 if a < 1.7 else 1 - 0.24 * (a - 1.7)),
                    0.62 + 0.4 * math.cos(a),
                )
            )
        p.shape([*points, *[(-x, y) for x, y in reversed(points)]], tone, factor)

    p.stroke([(-0.2, 0.34), (-0.07, 0.1)], 0.01, (92, 66, 46))
    p.stroke([(0.2, 0.34), (0.07, 0.1)], 0.01, (92, 66, 46))
    for outer, tone, factor in (
        (0.4, colour, 0.86),
        (0.31, light, 0.94),
        (0.2, colour, 1.0),
        (0.075, light, 1.0),
    ):
        gore(outer, tone, factor)
    p.box((-0.08, 0), (0.08, 0.11), (134, 90, 52))
    p.box((-0.09, 0.1), (0.09, 0.125), (100, 66, 38))


def kite(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a kite with a tail of bows."""
    del snow
    p.stroke([(0, 0.4), (0.1, 0.26), (-0.05, 0.14), (0.06, 0)], 0.014, CREAM)
    p.shape([(0, 1), (0.34, 0.72), (0, 0.4), (-0.34, 0.72)], colour)
    p.shape([(0, 1), (0.34, 0.72), (0, 0.4)], colour, 0.82)
    for x, y in ((0.08, 0.28), (-0.02, 0.15)):
        p.shape(
            [
                (x - 0.07, y + 0.04),
                (x + 0.07, y - 0.04),
                (x + 0.07, y + 0.04),
                (x - 0.07, y - 0.04),
            ],
            colour,
        )


def airplane(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a small aeroplane from the side."""
    del snow
    p.shape([(-0.74, 0.72), (-0.5, 0.72), (-0.36, 0.5), (-0.62, 0.46)], colour, 0.9)
    p.oval((0, 0.45), (0.68, 0.13), CREAM)
    p.shape([(-0.62, 0.42), (0.64, 0.42), (0.5, 0.33), (-0.3, 0.33)], colour)
    p.shape([(-0.1, 0.42), (0.16, 0.42), (-0.2, 0.12), (-0.34, 0.12)], colour, 0.84)
    for k in range(5):
        p.disc(-0.2 + k * 0.13, 0.49, 0.034, p.glass())
    p.shape([(0.46, 0.56), (0.58, 0.5), (0.44, 0.49)], p.glass())


def rocket(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a rocket on its flame."""
    del snow
    p.shape([(-0.1, 0.16), (0, -0.12), (0.1, 0.16)], (255, 170, 60), 1.2)
    p.shape([(-0.05, 0.16), (0, 0.0), (0.05, 0.16)], (255, 236, 150), 1.2)
    p.shape([(-0.14, 0.36), (-0.3, 0.1), (-0.14, 0.16)], colour, 0.9)
    p.shape([(0.14, 0.36), (0.3, 0.1), (0.14, 0.16)], colour, 0.75)
    body = [
        (-0.12, 0.15),
        (-0.17, 0.45),
        (-0.13, 0.74),
        (0, 1.0),
        (0.13, 0.74),
        (0.17, 0.45),
        (0.12, 0.15),
    ]
    p.shape(body, CREAM)
    p.shape(
        [(0.05, 0.15), (0.07, 0.6), (0, 1.0), (0.13, 0.74), (0.17, 0.45), (0.12, 0.15)], CREAM, 0.84
    )
    p.shape([(-0.13, 0.74), (0, 1.0), (0.13, 0.74)], colour)
    p.disc(0, 0.56, 0.085, colour)
    p.disc(0, 0.56, 0.058, (150, 210, 240))


def ufo(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a flying saucer with its beam."""
    del snow
    p.oval((0, 0.62), (0.24, 0.22), (170, 226, 240))
    p.oval((0, 0.5), (0.62, 0.15), colour)
    p.oval((0, 0.54), (0.5, 0.09), mix(colour, (255, 255, 255), 0.4))
    for k in range(5):
        p.disc(-0.44 + 0.22 * k, 0.46, 0.036, (255, 236, 140), 1.2)


def car(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a car from the side."""
    del snow
    p.shadow(0.95)
    p.shape([(-0.5, 0.46), (-0.3, 0.78), (0.26, 0.78), (0.52, 0.46)], colour)
    p.shape([(-0.4, 0.47), (-0.26, 0.7), (-0.05, 0.7), (-0.05, 0.47)], p.glass())
    p.shape([(0.03, 0.47), (0.03, 0.7), (0.22, 0.7), (0.4, 0.47)], p.glass())
    p.shape(
        [(-0.88, 0.17), (-0.86, 0.42), (-0.5, 0.5), (0.54, 0.48), (0.86, 0.4), (0.9, 0.17)], colour
    )
    p.shape([(-0.88, 0.25), (0.89, 0.25), (0.9, 0.15), (-0.88, 0.15)], colour, 0.78)
    p.disc(0.84, 0.33, 0.05, (255, 240, 180), 1.2)
    for x in (-0.5, 0.52):
        p.disc(x, 0.16, 0.17, RUBBER)
        p.disc(x, 0.16, 0.08, (190, 194, 200))


def train(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a steam engine with one coach."""
    del snow
    p.shadow(1.3)
    p.box((-1.2, 0.16), (-0.3, 0.62), colour, 0.9)
    p.box((-1.24, 0.6), (-0.26, 0.67), RUBBER)
    for k in range(3):
        p.box((-1.1 + 0.28 * k, 0.34), (-0.92 + 0.28 * k, 0.54), p.glass())
    p.box((-0.2, 0.16), (0.3, 0.74), colour)
    p.box((-0.24, 0.72), (0.34, 0.79), RUBBER)
    p.box((-0.1, 0.44), (0.18, 0.66), p.glass())
    p.box((0.3, 0.2), (1.0, 0.52), colour, 0.8)
    p.disc(1.0, 0.36, 0.16, colour, 0.8)
    p.box((0.76, 0.5), (0.88, 0.8), RUBBER)
    for k, q in enumerate((0.08, 0.11, 0.14)):
        p.disc(0.74 - 0.15 * k, 0.92 + 0.08 * k, q, (226, 228, 232))
    for x in (-1.0, -0.5, -0.05, 0.36, 0.66, 0.94):
        p.disc(x, 0.12, 0.12, RUBBER)
        p.disc(x, 0.12, 0.055, (190, 60, 56))
