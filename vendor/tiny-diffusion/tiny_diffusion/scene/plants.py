"""Trees, flowers and what else grows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Canvas, Colour, Point, bright
from tiny_diffusion.scene.colours import jitter

if TYPE_CHECKING:
    from random import Random

    from tiny_diffusion.scene.colours import Light

TRUNK: Colour = (104, 72, 48)
AUTUMN: list[Colour] = [(208, 88, 40), (228, 152, 48), (184, 62, 40)]
BLOSSOMS: list[Colour] = [
    (224, 60, 66),
    (250, 206, 70),
    (244, 140, 186),
    (150, 86, 200),
    (250, 250, 246),
]


def leaf(r: Random, *, autumn: bool, pine: bool) -> Colour:
    """Choose the colour of a tree's leaves."""
    if autumn:
        return jitter(r.choice(AUTUMN), r, 12)
    return jitter((40, 108, 68) if pine else (72, 146, 70), r, 12)


def pine(
    c: Canvas,
    at: Point,
    height: float,
    light: Light,
    colour: Colour,
    *,
    snow: bool,
    distance: float = 0,
) -> None:
    """Draw a conifer standing on `at`."""
    x, y = at

    def tone(q: float, k: Colour = colour) -> Colour:
        return light.land(bright(k, q), distance)

    half = height * 0.27
    c.rectangle(x - height * 0.035, y - height * 0.14, x + height * 0.035, y, tone(1, TRUNK))
    for k in range(4):
        top, low = y - height * (1 - 0.2 * k), y - height * (0.62 - 0.17 * k)
        w = half * (0.52 + 0.16 * k)
        c.polygon(
            [
                (x, top),
                (x - w, low),
                (x - w * 0.5, low - height * 0.025),
                (x, low),
                (x + w * 0.5, low - height * 0.025),
                (x + w, low),
            ],
            tone(1.1),
        )
        c.polygon(
            [(x, top), (x, low), (x + w * 0.5, low - height * 0.025), (x + w, low)], tone(0.82)
        )
        if snow:
            s = 0.55
            c.polygon(
                [
                    (x, top),
                    (x - w * s, top + (low - top) * s),
                    (x, top + (low - top) * s * 0.7),
                    (x + w * s, top + (low - top) * s),
                ],
                tone(1, (246, 249, 253)),
            )


def round_tree(
    c: Canvas, at: Point, height: float, light: Light, colour: Colour, *, snow: bool
) -> None:
    """Draw a leafy tree standing on `at`."""
    x, y = at
    c.polygon(
        [
            (x - height * 0.055, y),
            (x - height * 0.03, y - height * 0.5),
            (x + height * 0.03, y - height * 0.5),
            (x + height * 0.055, y),
        ],
        light.land(TRUNK),
    )
    c.line(
        [(x, y - height * 0.36), (x + height * 0.13, y - height * 0.5)],
        height * 0.03,
        light.land(TRUNK),
    )
    crown = (
        (0.0, -0.7, 0.26),
        (-0.19, -0.56, 0.2),
        (0.19, -0.56, 0.2),
        (-0.1, -0.47, 0.17),
        (0.1, -0.46, 0.17),
    )
    for dx, dy, q in crown:
        c.disc(x + dx * height, y + dy * height, q * height, light.land(bright(colour, 0.8)))
    for dx, dy, q in crown[:3]:
        c.disc(
            x + (dx - 0.035) * height,
            y + (dy - 0.035) * height,
            q * height * 0.86,
            light.land(colour),
        )
    c.disc(
        x - 0.09 * height,
        y - 0.77 * height,
        0.13 * height,
        light.land((246, 249, 253) if snow else bright(colour, 1.15)),
    )


def palm(c: Canvas, at: Point, height: float, light: Light, lean: float) -> None:
    """Draw a palm standing on `at`, leaning to the right if `lean` is positive."""
    x, y = at
    trunk = [(x + lean * height * t * t, y - height * t) for t in (0, 0.25, 0.5, 0.75, 1)]
    c.line(trunk, height * 0.05, light.land((126, 90, 56)))
    tx, ty = trunk[-1]
    for k, a in enumerate((-0.35, 0.25, 0.9, 1.6, 2.3, 2.9, 3.5)):
        reach = height * (0.42 if k % 2 else 0.48)
        tip = (tx + math.cos(a) * reach, ty - math.sin(a) * reach * 0.5 + height * 0.12)
        knee = (tx + math.cos(a) * reach * 0.55, ty - math.sin(a) * reach * 0.6 - height * 0.05)
        under = (knee[0] * 0.6 + tx * 0.4, knee[1] * 0.5 + ty * 0.5 + height * 0.05)
        c.polygon([(tx, ty), knee, tip, under], light.land(bright((52, 146, 76), 1.1 - 0.07 * k)))
    for dx in (-0.03, 0.03):
        c.disc(tx + dx * height, ty + 0.03 * height, 0.03 * height, light.land((96, 62, 40)))


def cactus(c: Canvas, at: Point, height: float, light: Light) -> None:
    """Draw a saguaro standing on `at`."""
    x, y = at
    colour = light.land((66, 136, 80))
    w = height * 0.17
    c.line([(x, y - w * 0.4), (x, y - height + w / 2)], w, colour)
    for side, low, high in ((-1, 0.4, 0.74), (1, 0.28, 0.6)):
        reach = x + side * height * 0.27
        c.line(
            [(x, y - height * low), (reach, y - height * low), (reach, y - height * high)],
            w * 0.72,
            colour,
        )
    c.line(
        [(x - w * 0.2, y - height * 0.1), (x - w * 0.2, y - height * 0.9)],
        w * 0.12,
        bright(colour, 1.18),
    )


def flowers(c: Canvas, r: Random, *, light: Light, top: float, colours: list[Colour]) -> None:
    """Fill a meadow with flowers, larger towards the viewer."""
    depth = c.height - top
    spots = sorted(r.random() for _ in range(round(150 * c.width)))
    for t in spots:
        size = 0.004 + 0.014 * t
        x, y = r.uniform(0, c.width), top + depth * (0.04 + 0.98 * t)
        bloom = light.thing(jitter(r.choice(colours), r, 12))
        c.line([(x, y), (x, y + size * 2.4)], size * 0.3, light.land((58, 122, 60)))
        if size < 0.008:
            c.disc(x, y, size, bloom)
            continue
        turn = r.uniform(0, 1)
        for k in range(5):
            a = turn + k * 2 * math.pi / 5
            c.disc(x + math.cos(a) * size * 0.62, y + math.sin(a) * size * 0.55, size * 0.5, bloom)
        heart: Colour = (250, 214, 90) if bloom[2] > 100 or bloom[1] < 120 else (150, 92, 46)
        c.disc(x, y, size * 0.42, light.thing(heart))


def treeline(
    c: Canvas,
    r: Random,
    *,
    light: Light,
    base: float,
    height: float,
    distance: float,
    autumn: bool,
    snow: bool,
) -> None:
    """Draw a row of conifers across the picture, standing on `base`."""
    step = height * 0.3
    trees = []
    x = -step
    while x < c.width + step:
        trees.append((x, base + r.uniform(-0.05, 0.08) * height, height * r.uniform(0.62, 1.15)))
        x += step * r.uniform(0.6, 1.5)
    for x, y, h in sorted(trees, key=lambda tree: tree[1]):
        pine(c, (x, y), h, light, leaf(r, autumn=autumn, pine=True), snow=snow, distance=distance)
