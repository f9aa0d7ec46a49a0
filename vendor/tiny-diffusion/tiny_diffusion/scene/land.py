"""Mountains, hills, dunes, ground and water."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Canvas, Colour, Point, bright, mix
from tiny_diffusion.scene.colours import jitter

if TYPE_CHECKING:
    from random import Random

    from tiny_diffusion.scene.colours import Light

ROCKS: list[Colour] = [(100, 108, 134), (112, 106, 118), (88, 102, 122), (122, 104, 100)]
SNOW: Colour = (248, 250, 253)


def wavy(r: Random, base: float, height: float, waves: float, width: float) -> list[float]:
    """Give an outline of heights around `base`, smooth, about `waves` waves for each unit."""
    phases = [(r.uniform(0, 2 * math.pi), r.uniform(0.7, 1.3)) for _ in range(3)]
    outline = []
    for k in range(97):
        x = k / 96 * width * waves * 2 * math.pi
        outline.append(
            base
            + height
            * sum(0.6**o * math.sin(p + x * q * 1.7**o) for o, (p, q) in enumerate(phases))
            / 1.6
        )
    return outline


def mountains(
    c: Canvas,
    r: Random,
    *,
    light: Light,
    base: float,
    depth: int,
    snow: float,
    rock: Colour,
) -> None:
    """Draw one range standing on `base`: depth 0 is far and high, 2 near and low.

    `snow` is the share of a mountain that is white.
    """
    distance = (0.58, 0.3, 0.06)[depth]
    room = min(base * 0.92, 0.62 + 0.12 * (c.height - 1))
    count = max(2, round(c.width * r.uniform(2.0, 3.4)))
    colour = jitter(rock, r, 8)
    places = list(range(count))
    r.shuffle(places)
    for place in places:
        x = c.width * (place + r.uniform(0.1, 0.9)) / count
        height = room * r.uniform(0.46, 1) * (0.95, 0.78, 0.5)[depth]
        width = min(height, 0.6) * r.uniform(0.8, 1.25)
        colours = (
            light.land(colour, distance),
            light.land(bright(colour, 0.62), distance),
            light.land(SNOW, distance * 0.75),
            light.land(mix(SNOW, colour, 0.36), distance * 0.8),
        )
        share = snow * r.uniform(0.8, 1.15)
        _peak(c, r, (x, base - height), (width, base), colours, snow=share)
    foot = light.land(bright(colour, 0.75), distance)
    c.rectangle(0, base - 0.002, c.width, base + 0.04, foot)


def _peak(
    c: Canvas,
    r: Random,
    top: Point,
    foot: Point,
    colours: tuple[Colour, Colour, Colour, Colour],
    *,
    snow: float,
) -> None:
    """Draw a mountain from its top; `foot` is its half width and the height of its base."""
    width, base = foot
    x, y = top
    height, n = base - y, 9
    lit, shade, white, shadowed = colours

    def slope(side: float) -> list[tuple[float, float]]:
        points = [top]
        for k in range(1, n + 1):
            t = k / n
            wobble = r.uniform(-0.3, 0.3) / n * (t < 1)
            points.append(
                (
                    x + side * width * (t + wobble),
                    y + height * (t + r.uniform(-0.2, 0.2) / n * (t < 1)),
                )
            )
        return points

    left, right = slope(-1), slope(1)
    ridge = [top]
    for k in range(1, n + 1):
        t = k / n
        ridge.append(
            (
                x + width * (0.1 * math.sin(t * 9 + x * 7) + r.uniform(-0.05, 0.12)) * t**0.7,
                y + height * t,
            )
        )
    c.polygon([*reversed(left), *ridge[1:]], lit)
    c.polygon([*ridge, *reversed(right)], shade)
    levels = round(n * snow)
    if levels < 1:
        return
    levels = min(levels, n - 1)
    for edge, colour in ((left, white), (right, shadowed)):
        fringe = []
        steps = 6
        for q in range(steps + 1):
            t = q / steps
            a, b = edge[levels], ridge[levels]
            drop = height * (0.075 if q % 2 else -0.02) * (0 < q < steps)
            fringe.append((a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t + drop))
        c.polygon([top, *edge[1 : levels + 1], *fringe, *reversed(ridge[1 : levels + 1])], colour)


def hills(
    c: Canvas,
    r: Random,
    *,
    light: Light,
    top: float,
    bottom: float | None,
    colour: Colour,
    depth: float,
) -> None:
    """Draw one line of hills; depth 0 is near, 1 far."""
    outline = wavy(r, top, 0.05, r.uniform(0.5, 0.9), c.width)
    tone = jitter(colour, r, 8)
    near, far = bright(tone, 0.76), bright(tone, 1.1)
    c.ground(outline, [light.land(far, 0.5 * depth), light.land(near, 0.34 * depth)], bottom)


def dunes(c: Canvas, r: Random, *, light: Light, top: float, colour: Colour, depth: float) -> None:
    """Draw one dune line: sharp crests, a lit and a shaded side."""
    tone = jitter(colour, r, 6)
    c.ground(
        wavy(r, top, 0.045, 0.6, c.width),
        [light.land(bright(tone, 1.08), 0.4 * depth), light.land(bright(tone, 0.8), 0.25 * depth)],
    )
    crest = (c.width * r.uniform(0.1, 0.9), top - 0.05)
    reach = r.uniform(0.25, 0.5)
    drop = 0.16 + 0.1 * (1 - depth)
    c.shaded(
        [crest, (crest[0] + reach * 0.25, top + drop * 0.45), (crest[0] + reach * 0.12, top + drop),
         (crest[0] + reach * 1.2, top + drop), (crest[0] + reach * 0.5, top + drop * 0.3)],
        [light.land(bright(tone, 0.7), 0.3 * depth), light.land(bright(tone, 0.82), 0.25 * depth)],
    )  # fmt: skip


def ground(c: Canvas, r: Random, *, light: Light, top: float, colour: Colour) -> None:
    """Draw the near ground from `top` to the bottom."""
    far, near = bright(colour, 1.06), bright(colour, 0.68)
    c.ground(wavy(r, top, 0.015, 0.7, c.width), [light.land(far, 0.1), light.land(near)])


def beach(c: Canvas, r: Random, light: Light, top: float) -> None:
    """Draw sand with a line of foam where it meets the water."""
    outline = wavy(r, top, 0.018, 0.5, c.width)
    sand: Colour = (238, 210, 150)
    foam = mix(light.land((255, 255, 255)), light.sky[2], 0.2)
    c.ground([y - 0.014 for y in outline], [foam, foam])
    c.ground(
        outline, [light.land(bright(sand, 0.92)), light.land(sand), light.land(bright(sand, 0.84))]
    )


def island(c: Canvas, r: Random, light: Light, horizon: float, box: tuple[float, float]) -> float:
    """Draw a small sandy island with a green top; give its x for the palms."""
    x, size = c.width * r.uniform(*box), r.uniform(0.2, 0.28)
    y = horizon + 0.05
    for rx, ry, colour in ((1, 0.16, (232, 204, 140)), (0.74, 0.3, (78, 148, 78))):
        arc = [math.pi + math.pi * k / 30 for k in range(31)]
        points = [
            (x + size * rx * math.cos(a), y - 0.02 * (rx < 1) + size * ry * math.sin(a))
            for a in arc
        ]
        c.shaded(points, [light.land(colour), light.land(bright(colour, 0.8))])
    c.ellipse(x, y, size, 0.012, light.land((214, 186, 126)))
    return x


def sea(c: Canvas, light: Light, horizon: float, colour: Colour) -> None:
    """Fill the sea, which takes the sky's colour far away."""
    tone = light.land(colour)
    c.gradient(horizon, c.height, [mix(tone, light.sky[2], 0.5), tone, bright(tone, 0.72)])


def ripples(
    c: Canvas, r: Random, *, light: Light, horizon: float, colour: Colour, glitter: float | None
) -> None:
    """Draw ripples on water and, under a sun or moon at x = `glitter`, their path of light."""
    depth = c.height - horizon
    tone = light.land(colour)
    for _ in range(round(44 * c.width)):
        t = r.random() ** 1.2
        x, y, w = r.uniform(0, c.width), horizon + depth * (0.03 + t), 0.014 + 0.06 * t
        shade = (
            mix(tone, light.sky[2], 0.28 * (1 - t))
            if r.random() < 0.5
            else mix(tone, (255, 255, 255), 0.14)
        )
        c.ellipse(x, y, w, 0.0015 + 0.0025 * t, shade)
    if glitter is None:
        return
    shine: Colour = (206, 214, 236) if light.time == "night" else (255, 240, 196)
    for k in range(26):
        t = (k + r.random()) / 26
        x = glitter + r.uniform(-1, 1) * (0.014 + 0.07 * t)
        c.ellipse(x, horizon + depth * t, 0.012 + 0.045 * t * r.random(), 0.002 + 0.003 * t, shine)


def path(c: Canvas, r: Random, *, light: Light, horizon: float, colour: Colour) -> None:
    """Draw a winding path or stream that narrows towards the horizon."""
    x, sway = c.width * r.uniform(0.35, 0.65), r.uniform(0.08, 0.16) * r.choice([-1, 1])
    left, right = [], []
    for k in range(40):
        t = k / 39
        y = horizon + (c.height - horizon) * t
        middle = x + sway * math.sin(t * 5) * (0.25 + t)
        half = 0.006 + 0.12 * t**1.7
        left.append((middle - half, y))
        right.append((middle + half, y))
    c.shaded([*left, *reversed(right)], [light.land(colour, 0.3), light.land(colour)])
