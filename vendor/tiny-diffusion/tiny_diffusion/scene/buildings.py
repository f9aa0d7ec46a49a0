"""Houses, castles, towers."""

from __future__ import annotations

import itertools
from math import cos, sin
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Colour, mix
from tiny_diffusion.scene.colours import COLOURS

if TYPE_CHECKING:
    from tiny_diffusion.scene.pen import Pen

WOOD: Colour = (112, 76, 50)
ROOF: Colour = (152, 66, 52)
SLATE: Colour = (84, 80, 96)
SNOW: Colour = (246, 249, 253)
STONE: Colour = (182, 176, 178)


def house(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a cottage with a gable roof, a door and two windows."""
    roof = SNOW if snow else SLATE if colour[0] > 2 * colour[2] and colour[1] < 160 else ROOF
    p.shadow(0.75)
    p.box((0.2, 0.66), (0.34, 1.06), mix(STONE, ROOF, 0.4))
    p.box((-0.5, 0), (0.5, 0.58), colour)
    p.box((0.18, 0), (0.5, 0.58), colour, 0.84)
    p.shape([(-0.5, 0.57), (0.0, 1.0), (0.5, 0.57)], colour, 0.94)
    p.shape(
        [
            (-0.64, 0.52),
            (-0.06, 1.04),
            (0.06, 1.04),
            (0.64, 0.52),
            (0.54, 0.52),
            (0, 0.93),
            (-0.54, 0.52),
        ],
        roof,
    )
    p.shape([(0, 1.04), (0.06, 1.04), (0.64, 0.52), (0.54, 0.52), (0, 0.93)], roof, 0.82)
    for left in (-0.4, 0.24):
        p.box((left - 0.025, 0.175), (left + 0.205, 0.425), (250, 246, 236), 0.95)
        p.box((left, 0.2), (left + 0.18, 0.4), p.glass())
        p.box((left + 0.08, 0.2), (left + 0.1, 0.4), (250, 246, 236), 0.95)
    p.box((-0.1, 0), (0.1, 0.36), WOOD)
    p.disc(0.06, 0.17, 0.015, COLOURS["gold"])
    p.disc(0, 0.72, 0.07, p.glass())
    p.lamp(0, 0.3, 0.8)


def village(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a church among houses; the colour is that of one of them."""
    others = p.r.sample([COLOURS[n] for n in ("white", "yellow", "blue", "red", "orange")], 4)
    spots = (
        (-0.62, 0.16, 0.42),
        (0.66, 0.15, 0.44),
        (-0.3, 0.04, 0.5),
        (0.36, 0.0, 0.52),
        (-0.8, 0.0, 0.46),
    )
    church(p.part(0.06, 0.14, 0.86), (240, 236, 226), snow=snow)
    for (x, y, size), tone in zip(spots, [*others, colour], strict=True):
        house(p.part(x, y, size), tone, snow=snow)


def castle(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a castle of five towers; the colour is that of its walls."""
    roofs: list[Colour] = [(74, 88, 168), (164, 62, 72), (112, 64, 146), (44, 120, 120)]
    roof = SNOW if snow else p.r.choice(roofs)
    p.shadow(0.85)
    towers = ((-0.2, 0.9, 0.1), (0.2, 1.02, 0.1), (0.0, 1.2, 0.12))
    for x, top, w in towers:
        _tower(p, (x, top, w), mix(colour, (120, 120, 140), 0.16), roof)
    p.box((-0.5, 0), (0.5, 0.46), colour)
    p.box((0.1, 0), (0.5, 0.46), colour, 0.92)
    for k in range(9):
        x = -0.5 + k / 8.5
        p.box((x, 0.44), (x + 0.062, 0.53), colour)
    for x, top, w in ((-0.5, 0.76, 0.12), (0.5, 0.76, 0.12)):
        _tower(p, (x, top, w), colour, roof)
    p.disc(0, 0.22, 0.12, colour, 0.34)
    p.box((-0.12, 0), (0.12, 0.22), colour, 0.34)
    for x in (-0.06, 0, 0.06):
        p.box((x - 0.007, 0), (x + 0.007, 0.3), colour, 0.6)
    for x in (-0.3, 0.3):
        p.box(
            (x - 0.03, 0.22),
            (x + 0.03, 0.33),
            p.glass() if p.light.dark else mix(colour, (0, 0, 0), 0.5),
        )
    p.lamp(0, 0.2, 0.5)


def _tower(p: Pen, place: tuple[float, float, float], wall: Colour, roof: Colour) -> None:
    x, top, w = place
    p.box((x - w, 0), (x + w, top), wall)
    p.box((x + w * 0.3, 0), (x + w, top), wall, 0.82)
    p.box((x - w * 1.16, top - 0.07), (x + w * 1.16, top), wall, 0.94)
    p.shape([(x - w * 1.35, top), (x, top + w * 3.1), (x + w * 1.35, top)], roof)
    p.shape([(x + w * 0.2, top), (x, top + w * 3.1), (x + w * 1.35, top)], roof, 0.8)
    p.stroke([(x, top + w * 3), (x, top + w * 3.9)], 0.01, WOOD)
    p.shape([(x, top + w * 3.9), (x + 0.09, top + w * 3.65), (x, top + w * 3.4)], roof, 1.2)
    glass = p.glass() if p.light.dark else mix(wall, (0, 0, 0), 0.5)
    p.box((x - 0.026, top - 0.24), (x + 0.026, top - 0.13), glass)
    p.disc(x, top - 0.13, 0.026, glass)


def lighthouse(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a striped lighthouse, whose lamp shines after dark."""
    p.shadow(0.3)
    edges = [(-0.16 + 0.06 * k / 5, 0.16 * k, 0.16 - 0.06 * k / 5) for k in range(6)]
    for k, (low, high) in enumerate(itertools.pairwise(edges)):
        tone = colour if k % 2 else (248, 246, 240)
        p.shape([(low[0], low[1]), (low[2], low[1]), (high[2], high[1]), (high[0], high[1])], tone)
        p.shape([(0.03, low[1]), (low[2], low[1]), (high[2], high[1]), (0.03, high[1])], tone, 0.84)
    p.box((-0.15, 0.8), (0.15, 0.83), (60, 60, 70))
    p.box((-0.07, 0.83), (0.07, 0.95), (255, 236, 160))
    p.shape([(-0.1, 0.95), (0, 1.06), (0.1, 0.95)], SNOW if snow else colour, 0.9)
    p.box((-0.045, 0), (0.045, 0.13), WOOD)
    p.lamp(0, 0.89, 0.6)


def church(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a church with a pointed tower."""
    roof = SNOW if snow else SLATE
    p.shadow(0.6)
    p.box((-0.12, 0), (0.5, 0.4), colour, 0.92)
    p.shape([(-0.12, 0.38), (0.0, 0.62), (0.42, 0.62), (0.55, 0.38)], roof)
    p.box((-0.36, 0), (-0.1, 0.66), colour)
    p.shape([(-0.4, 0.64), (-0.23, 1.04), (-0.06, 0.64)], roof, 0.9)
    p.stroke([(-0.23, 1.03), (-0.23, 1.16)], 0.014, COLOURS["gold"])
    p.stroke([(-0.27, 1.11), (-0.19, 1.11)], 0.014, COLOURS["gold"])
    for x in (0.02, 0.17, 0.32):
        p.box((x, 0.12), (x + 0.07, 0.26), p.glass())
        p.disc(x + 0.035, 0.26, 0.035, p.glass())
    p.box((-0.28, 0), (-0.18, 0.2), WOOD)
    p.disc(-0.23, 0.2, 0.05, WOOD)
    p.disc(-0.23, 0.5, 0.05, (250, 246, 236))


def windmill(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a windmill with four sails."""
    p.shadow(0.35)
    p.shape([(-0.2, 0), (0.2, 0), (0.12, 0.66), (-0.12, 0.66)], colour)
    p.shape([(0.04, 0), (0.2, 0), (0.12, 0.66), (0.04, 0.66)], colour, 0.84)
    p.shape([(-0.15, 0.65), (0, 0.82), (0.15, 0.65)], SNOW if snow else ROOF)
    p.box((-0.05, 0), (0.05, 0.17), WOOD)
    p.box((-0.035, 0.36), (0.035, 0.46), p.glass())
    turn = p.r.uniform(0.2, 1.2)
    for k in range(4):
        _sail(p, turn + k * 1.5708)
    p.disc(0, 0.66, 0.03, (60, 52, 50))


def _sail(p: Pen, angle: float) -> None:
    ux, uy, vx, vy = cos(angle), sin(angle), -sin(angle), cos(angle)
    p.stroke([(0, 0.66), (0.42 * ux, 0.66 + 0.42 * uy)], 0.018, WOOD)
    corners = ((0.1, 0.0), (0.41, 0.0), (0.41, 0.1), (0.1, 0.1))
    p.shape([(a * ux + b * vx, 0.66 + a * uy + b * vy) for a, b in corners], (246, 240, 224), 0.96)


def pyramid(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a pyramid with a lit and a shaded side."""
    tone = mix(colour, SNOW, 0.6) if snow else colour
    p.shape([(-0.85, 0), (0, 1), (0.85, 0)], tone)
    p.shape([(0.22, 0), (0, 1), (0.85, 0)], tone, 0.66)
    for k in range(1, 8):
        y = k / 8
        p.stroke([(-0.85 * (1 - y), y), (0.22 * (1 - y), y)], 0.006, tone, 0.9)


def tent(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a tent with its door open."""
    p.shadow(0.8)
    tone = mix(colour, SNOW, 0.4) if snow else colour
    p.shape([(-0.7, 0), (-0.1, 0.8), (0.7, 0)], tone)
    p.shape([(0.2, 0), (-0.1, 0.8), (0.7, 0)], tone, 0.78)
    p.shape(
        [(-0.42, 0), (-0.12, 0.62), (0.02, 0)],
        p.glass() if p.light.dark else tone,
        1 if p.light.dark else 0.4,
    )
    p.lamp(-0.15, 0.25, 0.7)


def snowman(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw a snowman with a hat and a scarf of the given colour."""
    del snow
    white: Colour = (246, 249, 253)
    p.shadow(0.45)
    for y, q in ((0.2, 0.25), (0.52, 0.19), (0.78, 0.14)):
        p.disc(0, y, q, white, 0.86)
        p.disc(-0.025, y + 0.02, q * 0.88, white)
    p.box((-0.15, 0.62), (0.15, 0.69), colour)
    p.box((0.05, 0.42), (0.13, 0.66), colour, 0.88)
    for x in (-0.05, 0.05):
        p.disc(x, 0.82, 0.018, (24, 24, 30))
    p.shape([(0, 0.79), (0.15, 0.76), (0, 0.75)], (240, 130, 40))
    for y in (0.5, 0.4):
        p.disc(0, y, 0.018, (24, 24, 30))
    p.box((-0.17, 0.89), (0.17, 0.92), (36, 36, 44))
    p.box((-0.1, 0.9), (0.1, 1.06), (36, 36, 44))
    for side in (-1, 1):
        p.stroke([(side * 0.17, 0.55), (side * 0.4, 0.68)], 0.018, WOOD)


def bridge(p: Pen, colour: Colour, *, snow: bool) -> None:
    """Draw an arched stone bridge."""
    p.box((-1.0, 0.3), (1.0, 0.46), SNOW if snow else colour)
    p.box((-1.0, 0.0), (1.0, 0.34), colour, 0.9)
    for x in (-0.6, 0, 0.6):
        p.oval((x, 0.0), (0.22, 0.26), colour, 0.36)
