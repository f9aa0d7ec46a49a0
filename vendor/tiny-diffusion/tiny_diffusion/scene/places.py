"""Cities and outer space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Canvas, Colour, bright, mix
from tiny_diffusion.scene.colours import jitter

if TYPE_CHECKING:
    from random import Random

    from tiny_diffusion.scene.colours import Light

FACADES: tuple[Colour, ...] = ((156, 170, 196), (110, 122, 156), (66, 74, 106))


def skyline(c: Canvas, r: Random, *, light: Light, base: float, depth: int) -> None:
    """Draw one row of tall buildings: depth 0 is far, 2 near, with windows."""
    distance = (0.5, 0.24, 0.02)[depth]
    tone = jitter(FACADES[depth], r, 10)
    room = min(base * 0.9, 0.72)
    x = -r.uniform(0, 0.1)
    while x < c.width:
        w = r.uniform(0.075, 0.15)
        h = room * r.uniform(0.35, 0.95) * (1, 0.8, 0.56)[depth]
        facade = light.land(jitter(tone, r, 8), distance)
        _tower(c, r, light, (x, base, w, h), facade, windows=depth > 0)
        x += w * r.uniform(0.98, 1.3)


def _tower(
    c: Canvas,
    r: Random,
    light: Light,
    place: tuple[float, float, float, float],
    facade: Colour,
    *,
    windows: bool,
) -> None:  # fmt: skip
    x, base, w, h = place
    top = base - h
    kind = r.random()
    c.rectangle(x, top, x + w, base, facade)
    c.rectangle(x + w * 0.7, top, x + w, base, bright(facade, 0.84))
    if kind < 0.2:
        c.polygon([(x, top), (x + w / 2, top - w * 0.8), (x + w, top)], facade)
        c.polygon(
            [(x + w * 0.6, top), (x + w / 2, top - w * 0.8), (x + w, top)], bright(facade, 0.84)
        )
    elif kind < 0.42:
        c.rectangle(x + w * 0.2, top - w * 0.3, x + w * 0.8, top, facade)
        c.line([(x + w / 2, top - w * 0.3), (x + w / 2, top - w * 0.95)], 0.006, facade)
    if not windows:
        return
    lit_share = {"night": 0.62, "sunset": 0.5}.get(light.time, 0.0)
    columns = max(2, round(w / 0.032))
    step = w / (columns + 0.6)
    y = top + 0.024
    while y < base - 0.03:
        for k in range(columns):
            on = r.random() < lit_share
            pane = (255, 216, 122) if on else mix(facade, (190, 220, 245), 0.34 * light.level)
            if not on and light.time == "night":
                pane = bright(facade, 0.7)
            left = x + step * (0.42 + k)
            c.rectangle(left, y, left + step * 0.56, y + 0.017, pane)
        y += 0.033


def street(c: Canvas, r: Random, light: Light, base: float) -> None:
    """Draw a road in front of the buildings, with its middle line and a pavement."""
    c.gradient(base, c.height, [light.land((92, 96, 106)), light.land((58, 60, 70))])
    c.rectangle(0, base, c.width, base + 0.022, light.land((160, 160, 164)))
    depth = c.height - base
    x = -r.uniform(0, 0.2)
    while x < c.width:
        c.rectangle(
            x, base + depth * 0.5, x + 0.11, base + depth * 0.5 + 0.012, light.land((236, 226, 190))
        )
        x += 0.2


def deep_space(c: Canvas, r: Random, tint: Colour) -> None:
    """Fill the canvas with dark space and clouds of gas."""
    dark: Colour = mix((9, 8, 26), tint, 0.06)
    c.gradient(0, c.height, [dark, mix(dark, tint, 0.32), dark])
    for _ in range(round(7 * max(c.width, c.height))):
        x, y = r.uniform(0, c.width), r.uniform(0, c.height)
        c.glow(
            x,
            y,
            r.uniform(0.25, 0.6),
            mix(tint, (120, 80, 200), r.random() * 0.5),
            r.uniform(0.1, 0.32),
        )


def planet(
    c: Canvas, r: Random, at: tuple[float, float], size: float, colour: Colour, *, ring: bool
) -> None:
    """Draw a planet lit from the upper left, with bands and, if asked, a ring."""
    x, y = at
    back = mix(colour, (255, 244, 220), 0.45)
    if ring:
        c.arc((x, y), (size * 1.9, size * 0.5), (180, 360), size * 0.13, bright(back, 0.7))
    c.glow(x, y, size * 1.7, colour, 0.3)
    c.disc(x, y, size, bright(colour, 0.5))
    for k in range(1, 9):
        shift = 0.045 * k
        tone = bright(colour, 0.5 + 0.075 * k)
        c.disc(x - size * shift, y - size * shift, size * (1 - shift * 1.42), tone)
    for _ in range(3):
        a, q = r.uniform(0, 6.28), r.uniform(0.15, 0.5)
        spot = (x - 0.2 * size + q * size * math.cos(a), y - 0.2 * size + q * size * math.sin(a))
        c.ellipse(*spot, size * r.uniform(0.08, 0.16), size * 0.06, bright(colour, 0.86))
    if ring:
        c.arc((x, y), (size * 1.9, size * 0.5), (0, 180), size * 0.13, back)


def galaxy(c: Canvas, r: Random, tint: Colour) -> None:
    """Draw a spiral galaxy."""
    x, y = c.width * r.uniform(0.3, 0.7), c.height * r.uniform(0.3, 0.7)
    c.glow(x, y, 0.42, mix(tint, (255, 220, 240), 0.4), 0.5)
    c.glow(x, y, 0.16, (255, 246, 224), 0.95)
    turn, flat = r.uniform(0, 6), r.uniform(0.42, 0.7)
    for k in range(420):
        t = k / 420
        a = turn + t * 7 + math.pi * (k % 2) + r.uniform(-0.3, 0.3)
        q = 0.05 + 0.4 * t
        tone = mix((255, 250, 240), mix(tint, (150, 190, 255), 0.5), t)
        c.disc(x + q * math.cos(a), y + flat * q * math.sin(a), r.uniform(0.0012, 0.0042), tone)
