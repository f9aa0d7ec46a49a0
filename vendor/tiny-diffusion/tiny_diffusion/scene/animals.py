"""Animals and people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Colour, mix

if TYPE_CHECKING:
    from tiny_diffusion.scene.pen import Pen

INK: Colour = (18, 18, 24)
SKIN: Colour = (236, 190, 156)


def cat(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a sitting cat that looks at the viewer."""
    del snow
    belly = mix(colour, (255, 255, 255), 0.18)
    p.shadow(0.45)
    p.stroke([(0.2, 0.05), (0.42, 0.08), (0.46, 0.3), (0.38, 0.42)], 0.085, colour, 0.9)
    p.oval((0, 0.27), (0.28, 0.29), colour)
    p.oval((0, 0.22), (0.15, 0.19), belly)
    for x in (-0.12, 0.12):
        p.oval((x, 0.04), (0.09, 0.055), belly)
    for side in (-1, 1):
        p.shape([(side * 0.235, 0.7), (side * 0.22, 0.98), (side * 0.04, 0.82)], colour)
        p.shape([(side * 0.2, 0.74), (side * 0.195, 0.9), (side * 0.09, 0.81)], (236, 150, 160))
    p.oval((0, 0.65), (0.25, 0.21), colour)
    eye: Colour = (250, 222, 90) if sum(colour) < 520 else (92, 176, 92)
    for side in (-1, 1):
        p.oval((side * 0.1, 0.67), (0.055, 0.06), eye)
        p.oval((side * 0.1, 0.67), (0.02, 0.05), INK)
        for dy in (-0.03, 0.02):
            whisker = mix(colour, (255, 255, 255) if sum(colour) < 380 else INK, 0.6)
            p.stroke([(side * 0.07, 0.585), (side * 0.3, 0.6 + dy)], 0.007, whisker)
    p.shape([(-0.03, 0.605), (0.03, 0.605), (0, 0.57)], (240, 140, 150))


def dog(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a sitting dog with hanging ears."""
    del snow
    belly = mix(colour, (255, 255, 255), 0.35)
    p.shadow(0.45)
    p.stroke([(0.2, 0.1), (0.4, 0.2), (0.46, 0.36)], 0.075, colour, 0.9)
    p.oval((0, 0.27), (0.27, 0.29), colour)
    p.oval((0, 0.26), (0.14, 0.21), belly)
    for x in (-0.13, 0.13):
        p.oval((x, 0.045), (0.09, 0.06), colour, 1.06)
    p.oval((0, 0.68), (0.23, 0.23), colour)
    p.oval((0, 0.6), (0.13, 0.11), belly)
    for side in (-1, 1):
        p.shape(
            [(side * 0.15, 0.88), (side * 0.29, 0.82), (side * 0.3, 0.54), (side * 0.2, 0.58)],
            colour,
            0.72,
        )
        p.disc(side * 0.09, 0.73, 0.035, INK)
        p.disc(side * 0.09 - 0.01, 0.742, 0.011, (255, 255, 255))
    p.oval((0, 0.64), (0.045, 0.033), INK)
    p.shape([(-0.03, 0.56), (0.03, 0.56), (0.025, 0.49), (-0.025, 0.49)], (236, 110, 120))
    p.box((-0.14, 0.45), (0.14, 0.485), (206, 50, 50))


def rabbit(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a sitting rabbit."""
    del snow
    p.shadow(0.4)
    p.disc(0.24, 0.12, 0.085, (250, 250, 248))
    p.oval((0, 0.22), (0.24, 0.23), colour)
    for side in (-1, 1):
        p.oval((side * 0.09, 0.84), (0.062, 0.2), colour)
        p.oval((side * 0.09, 0.83), (0.032, 0.15), (240, 170, 180))
        p.oval((side * 0.11, 0.04), (0.1, 0.05), colour, 1.08)
    p.disc(0, 0.55, 0.19, colour)
    for side in (-1, 1):
        p.disc(side * 0.08, 0.58, 0.027, INK)
    p.shape([(-0.025, 0.525), (0.025, 0.525), (0, 0.495)], (240, 130, 150))


def sheep(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a woolly sheep from the side."""
    del snow
    p.shadow(0.6)
    for x in (-0.26, -0.14, 0.16, 0.28):
        p.box((x - 0.035, 0), (x + 0.035, 0.3), (60, 56, 58))
    for x, y, q in (
        (-0.3, 0.45, 0.2),
        (-0.1, 0.56, 0.23),
        (0.14, 0.54, 0.23),
        (0.3, 0.42, 0.19),
        (0, 0.38, 0.24),
    ):
        p.disc(x, y, q, colour, 0.95 if y < 0.45 else 1)
    p.oval((0.46, 0.56), (0.14, 0.17), (60, 56, 58))
    p.oval((0.36, 0.64), (0.09, 0.04), (60, 56, 58))
    p.disc(0.44, 0.72, 0.1, colour)
    p.disc(0.5, 0.6, 0.026, (250, 250, 250))
    p.disc(0.505, 0.6, 0.013, INK)


def cow(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a cow from the side; white ones have black spots."""
    del snow
    spot = INK if sum(colour) > 600 else mix(colour, (255, 255, 255), 0.75)
    p.shadow(0.7)
    for x, f in ((-0.38, 1), (-0.26, 0.8), (0.24, 1), (0.36, 0.8)):
        p.box((x - 0.055, 0), (x + 0.055, 0.34), colour, f)
        p.box((x - 0.055, 0), (x + 0.055, 0.06), INK)
    p.stroke([(-0.48, 0.6), (-0.58, 0.3)], 0.025, colour, 0.8)
    p.shape(
        [(-0.5, 0.3), (-0.5, 0.66), (-0.42, 0.71), (0.42, 0.7), (0.48, 0.5), (0.42, 0.29)], colour
    )
    p.oval((-0.2, 0.56), (0.16, 0.1), spot)
    p.oval((0.2, 0.48), (0.11, 0.12), spot)
    p.shape([(0.4, 0.66), (0.46, 0.86), (0.66, 0.86), (0.74, 0.62), (0.5, 0.54)], colour)
    p.oval((0.71, 0.64), (0.08, 0.07), (236, 176, 170))
    p.disc(0.6, 0.77, 0.024, INK)
    for x in (0.47, 0.62):
        p.stroke([(x, 0.86), (x + 0.03, 0.96)], 0.03, (236, 226, 200))


def horse(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a horse from the side."""
    del snow
    hair = mix(colour, INK, 0.6) if sum(colour) > 200 else (70, 60, 64)
    p.shadow(0.65)
    p.stroke([(-0.42, 0.58), (-0.54, 0.5), (-0.56, 0.24)], 0.07, hair)
    for x, f in ((-0.34, 1), (-0.22, 0.8), (0.22, 1), (0.34, 0.8)):
        p.shape([(x - 0.08, 0.48), (x + 0.08, 0.48), (x + 0.035, 0), (x - 0.035, 0)], colour, f)
        p.box((x - 0.045, 0), (x + 0.045, 0.045), INK)
    p.oval((0, 0.48), (0.44, 0.18), colour)
    p.shape([(0.2, 0.6), (0.42, 0.98), (0.56, 0.94), (0.44, 0.44)], colour)
    p.shape([(0.4, 1.0), (0.54, 1.0), (0.78, 0.78), (0.7, 0.7), (0.46, 0.82)], colour)
    p.shape([(0.42, 0.98), (0.44, 1.1), (0.5, 1.0)], colour)
    p.shape([(0.42, 1.02), (0.34, 0.98), (0.16, 0.62), (0.24, 0.6)], hair)
    p.disc(0.56, 0.91, 0.023, INK)


def bird(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a small round bird from the side."""
    del snow
    p.shadow(0.35)
    for x in (-0.06, 0.08):
        p.stroke([(x, 0.2), (x, 0)], 0.025, (230, 150, 50))
    p.shape([(-0.3, 0.4), (-0.66, 0.34), (-0.62, 0.5), (-0.28, 0.56)], colour, 0.76)
    p.oval((0, 0.46), (0.36, 0.3), colour)
    p.oval((0.1, 0.36), (0.22, 0.18), mix(colour, (255, 255, 255), 0.5))
    p.disc(0.22, 0.72, 0.2, colour)
    p.shape([(0.39, 0.76), (0.56, 0.7), (0.39, 0.65)], (246, 170, 50))
    p.disc(0.27, 0.76, 0.032, INK)
    p.oval((-0.1, 0.48), (0.2, 0.15), colour, 0.74)


def fish(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a fish from the side."""
    del snow
    p.shape([(-0.4, 0.5), (-0.78, 0.8), (-0.68, 0.5), (-0.78, 0.2)], colour, 0.84)
    p.shape([(-0.2, 0.72), (0.02, 0.96), (0.2, 0.74)], colour, 0.84)
    p.oval((0, 0.5), (0.5, 0.28), colour)
    for x in (-0.12, 0.08):
        p.shape(
            [(x - 0.04, 0.77), (x + 0.04, 0.77), (x + 0.02, 0.23), (x - 0.06, 0.23)],
            mix(colour, (255, 255, 255), 0.6),
        )
    p.disc(0.3, 0.58, 0.065, (252, 252, 250))
    p.disc(0.32, 0.58, 0.034, INK)
    p.shape([(0.02, 0.46), (-0.2, 0.36), (-0.04, 0.28)], colour, 0.8)


def duck(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a swimming duck."""
    del snow
    p.shape([(-0.5, 0.2), (-0.66, 0.44), (-0.3, 0.4)], colour)
    p.oval((0, 0.2), (0.5, 0.22), colour)
    p.shape([(0.2, 0.3), (0.24, 0.7), (0.44, 0.7), (0.46, 0.24)], colour)
    p.disc(0.36, 0.7, 0.17, colour)
    p.shape([(0.5, 0.74), (0.74, 0.66), (0.5, 0.62)], (244, 154, 40))
    p.disc(0.41, 0.75, 0.028, INK)
    p.oval((-0.1, 0.25), (0.26, 0.13), colour, 0.86)


def butterfly(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a butterfly with open wings."""
    del snow
    for side in (-1, 1):
        p.oval((side * 0.28, 0.66), (0.27, 0.26), colour)
        p.oval((side * 0.21, 0.32), (0.19, 0.2), colour, 0.86)
        p.oval((side * 0.3, 0.68), (0.13, 0.13), mix(colour, (255, 255, 255), 0.6))
        p.disc(side * 0.21, 0.3, 0.07, INK)
        p.stroke([(0, 0.78), (side * 0.12, 0.98)], 0.016, INK)
    p.oval((0, 0.5), (0.05, 0.3), INK)


def person(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a standing person; the colour is that of the coat."""
    del snow
    trousers: Colour = (56, 66, 98)
    p.shadow(0.3)
    for side in (-1, 1):
        p.box(
            (side * 0.075 - 0.055, 0.03),
            (side * 0.075 + 0.055, 0.42),
            trousers,
            1 if side < 0 else 0.84,
        )
        p.oval((side * 0.085, 0.025), (0.075, 0.03), INK)
        p.stroke([(side * 0.14, 0.7), (side * 0.23, 0.54), (side * 0.22, 0.42)], 0.075, colour, 0.9)
        p.disc(side * 0.22, 0.4, 0.042, SKIN)
    p.shape([(-0.16, 0.74), (0.16, 0.74), (0.18, 0.34), (-0.18, 0.34)], colour)
    p.disc(0, 0.87, 0.11, SKIN)
    hair = [
        (0.115 * math.cos(a), 0.885 + 0.115 * math.sin(a))
        for a in (math.pi * k / 12 for k in range(13))
    ]
    p.shape(hair, (84, 56, 40))
    for side in (-1, 1):
        p.disc(side * 0.04, 0.87, 0.014, INK)


def astronaut(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw an astronaut in a suit of the given colour."""
    del snow
    p.box((-0.2, 0.36), (0.2, 0.78), (150, 154, 164))
    for side in (-1, 1):
        p.stroke([(side * 0.09, 0.36), (side * 0.11, 0.06)], 0.14, colour, 1 if side < 0 else 0.88)
        p.oval((side * 0.12, 0.04), (0.1, 0.05), (120, 124, 136))
        p.stroke(
            [(side * 0.16, 0.66), (side * 0.31, 0.54), (side * 0.36, 0.66)], 0.11, colour, 0.92
        )
    p.shape([(-0.18, 0.72), (0.18, 0.72), (0.2, 0.32), (-0.2, 0.32)], colour)
    p.box((-0.09, 0.48), (0.09, 0.6), (90, 140, 200))
    p.disc(0, 0.86, 0.18, colour)
    p.oval((0.01, 0.86), (0.13, 0.12), (52, 64, 96))
    p.oval((-0.03, 0.9), (0.05, 0.04), (140, 180, 220))


def rider(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw an astronaut riding a horse."""
    horse(p, (146, 98, 62), snow=snow)
    p.box((-0.2, 0.62), (0.08, 0.84), (150, 154, 164))
    p.stroke([(0.0, 0.66), (0.14, 0.5), (0.12, 0.3)], 0.11, colour, 0.9)
    p.shape([(-0.14, 0.95), (0.12, 0.95), (0.14, 0.6), (-0.14, 0.6)], colour)
    p.stroke([(0.02, 0.88), (0.18, 0.78), (0.3, 0.82)], 0.09, colour, 0.92)
    p.disc(0.0, 1.06, 0.15, colour)
    p.oval((0.03, 1.06), (0.105, 0.1), (52, 64, 96))
    p.oval((0.0, 1.1), (0.04, 0.03), (140, 180, 220))
