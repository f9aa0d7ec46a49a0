"""What is above the horizon: the sky itself, sun, moon and stars, clouds, weather."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Canvas, Colour, bright, mix
from tiny_diffusion.scene.colours import jitter

if TYPE_CHECKING:
    from random import Random

    from tiny_diffusion.scene.colours import Light

RAINBOW: tuple[Colour, ...] = (
    (226, 62, 58), (244, 144, 46), (250, 216, 70), (92, 188, 98), (66, 126, 222), (140, 82, 190),
)  # fmt: skip


def sky(c: Canvas, light: Light, horizon: float) -> None:
    """Fill the canvas with the sky, lightest at the horizon."""
    c.gradient(0, horizon, light.sky)
    c.rectangle(0, horizon, c.width, c.height, light.sky[2])


def stars(c: Canvas, r: Random, bottom: float, count: float = 60) -> None:
    """Scatter stars above a height, a few of them large."""
    for _ in range(round(count * c.width * max(0.6, bottom))):
        x, y = r.uniform(0, c.width), bottom * r.random() ** 1.2
        size, level = r.choice([0.0016, 0.0018, 0.0024, 0.0034]), r.uniform(150, 255)
        c.disc(x, y, size, (level, level, min(255.0, level + 18)))


def sun(
    c: Canvas,
    r: Random,
    light: Light,
    horizon: float,
    box: tuple[float, float],
    *,
    zoom: float = 1,
) -> None:
    """Draw the sun within a range of x: high by day, close to the horizon at sunset."""
    x, size = c.width * r.uniform(*box), r.uniform(0.055, 0.085) * zoom
    day = light.time == "day"
    y = horizon * r.uniform(0.16, 0.4) if day else horizon - r.uniform(0.05, 0.2)
    colour: Colour = (255, 244, 196) if day else (255, 228, 150)
    c.glow(x, y, size * 5, colour, 0.5 if day else 0.62)
    c.disc(x, y, size, colour)


def moon(
    c: Canvas,
    r: Random,
    *,
    light: Light,
    horizon: float,
    box: tuple[float, float],
    crescent: bool,
    zoom: float = 1,
) -> None:
    """Draw the moon within a range of x, full or as a crescent, with a halo."""
    x, y = c.width * r.uniform(*box), horizon * r.uniform(0.16, 0.42)
    size = r.uniform(0.05, 0.08) * zoom
    c.glow(x, y, size * 4, mix((186, 196, 230), light.sky[1], 0.2), 0.42)
    if crescent:
        turn = r.uniform(-0.5, 0.2)
        c.polygon(_crescent(x, y, size, turn), (242, 238, 214))
        return
    c.disc(x, y, size, (240, 238, 218))
    for dx, dy, q in ((-0.3, -0.2, 0.2), (0.3, 0.15, 0.26), (-0.1, 0.45, 0.14)):
        c.disc(x + dx * size, y + dy * size, q * size, (222, 220, 202))


def _crescent(x: float, y: float, size: float, turn: float) -> list[tuple[float, float]]:
    outer = [math.pi / 2 + math.pi * k / 24 for k in range(25)]
    points = [(math.cos(a), math.sin(a)) for a in outer]
    points += [(0.45 * math.cos(a), math.sin(a)) for a in reversed(outer)]
    cos, sin = math.cos(turn), math.sin(turn)
    return [
        (x + size * (px * cos - py * sin), y + size * (px * sin + py * cos)) for px, py in points
    ]


def cloud(c: Canvas, r: Random, *, light: Light, box: tuple[float, float, float, float]) -> None:
    """Draw one cloud with a flat base in a box of left, right, top, bottom."""
    storm = light.time == "storm"
    tops: dict[str, Colour] = {
        "day": (255, 255, 255),
        "sunset": mix(light.sky[1], (255, 218, 200), 0.62),
        "night": mix(light.sky[1], (120, 130, 170), 0.35),
        "storm": (84, 88, 100),
    }
    top = jitter(tops[light.time], r, 4)
    under = mix(top, light.sky[1], 0.42) if not storm else bright(top, 0.88)
    size = r.uniform(0.045, 0.085) * (1.7 if storm else 1)
    x, y = r.uniform(box[0], box[1]), r.uniform(box[2], box[3])
    puffs = r.randint(4, 6)
    reach = size * puffs * 0.46
    bumps = []
    for k in range(puffs):
        t = (k + 0.5) / puffs * 2 - 1
        q = size * (0.5 + 0.55 * (1 - t * t)) * r.uniform(0.85, 1.15)
        bumps.append((x + t * reach, q))
    _cloud_body(c, bumps, y, 0.0, under)
    _cloud_body(c, bumps, y, size * 0.2, top)


def _cloud_body(
    c: Canvas, bumps: list[tuple[float, float]], base: float, lift: float, colour: Colour
) -> None:
    outline = [(bumps[0][0] - bumps[0][1], base - lift)]
    for x, q in bumps:
        arc = [math.pi + math.pi * k / 14 for k in range(15)]
        outline += [(x + q * math.cos(a), base - lift * 1.15 + q * math.sin(a)) for a in arc]
        c.polygon(
            [outline[-15], *outline[-14:], (x + q, base - lift), (x - q, base - lift)], colour
        )
    left, right = bumps[0], bumps[-1]
    radius = min(left[1], right[1]) * 0.42
    c.rectangle(left[0] - left[1] + radius, base - lift - radius * 0.9,
                right[0] + right[1] - radius, base - lift * 0.6, colour)  # fmt: skip


def overcast(c: Canvas, r: Random, light: Light) -> None:
    """Cover the top of the sky with heavy clouds."""
    for row, (y, dark) in enumerate(((0.03, 0.62), (0.1, 0.78), (0.17, 0.94))[::-1]):
        shade = bright(mix((92, 96, 110), light.sky[1], 0.3), dark)
        x = -0.1
        while x < c.width + 0.1:
            q = r.uniform(0.08, 0.15)
            c.ellipse(x, y * (0.7 + 0.3 * c.height), q * 1.3, q * 0.75, shade)
            x += q * r.uniform(0.9, 1.4)
        if row == 2:
            c.rectangle(0, -0.1, c.width, 0.03 * (0.7 + 0.3 * c.height), shade)


def rainbow(c: Canvas, r: Random, horizon: float) -> None:
    """Draw a rainbow that stands on the horizon."""
    x, width = c.width * r.uniform(0.3, 0.7), 0.021
    radius = min(horizon * 0.86, c.width * 0.62) * r.uniform(0.85, 1)
    for k, colour in enumerate(RAINBOW):
        size = radius - k * width
        c.arc((x, horizon), (size, size), (180, 360), width + 0.003, colour)


def lightning(c: Canvas, r: Random, horizon: float) -> None:
    """Draw a bolt with one branch, from the clouds to the horizon."""
    x, y = c.width * r.uniform(0.2, 0.8), horizon * 0.14
    path = [(x, y)]
    while y < horizon * 0.96:
        x += r.uniform(-0.07, 0.07)
        y += r.uniform(0.05, 0.1)
        path.append((x, min(y, horizon)))
    c.glow(path[len(path) // 2][0], horizon * 0.5, horizon * 0.6, (224, 222, 255), 0.35)
    fork = path[len(path) // 2]
    branch = [fork, (fork[0] + r.choice([-0.07, 0.07]), fork[1] + 0.07)]
    branch.append((branch[1][0] + r.uniform(-0.03, 0.05), branch[1][1] + 0.07))
    c.line(branch, 0.005, (255, 250, 214))
    c.line(path, 0.011, (255, 252, 222))


def birds(c: Canvas, r: Random, light: Light, box: tuple[float, float], count: int) -> None:
    """Draw a loose flock far away."""
    x0, y0 = c.width * r.uniform(*box), c.height * r.uniform(0.12, 0.32)
    colour = bright(light.sky[0], 0.45)
    for _ in range(count):
        x, y, s = x0 + r.uniform(-0.17, 0.17), y0 + r.uniform(-0.07, 0.07), r.uniform(0.016, 0.03)
        for side in (-1, 1):
            wing = [(x, y), (x + side * s * 0.5, y - s * 0.52), (x + side * s * 1.15, y - s * 0.3)]
            c.line(wing, 0.005, colour)


def rain(c: Canvas, r: Random, light: Light) -> None:
    """Draw slanting rain."""
    for _ in range(round(150 * c.width * c.height)):
        x, y, s = r.uniform(-0.1, c.width), r.uniform(-0.1, c.height), r.uniform(0.02, 0.05)
        c.line([(x, y), (x - s * 0.28, y + s)], 0.0022, mix(light.sky[2], (226, 234, 244), 0.5))


def snowfall(c: Canvas, r: Random) -> None:
    """Draw falling snow, near flakes larger."""
    for _ in range(round(120 * c.width * c.height)):
        size = r.choice([0.0025, 0.003, 0.004, 0.006])
        c.disc(r.uniform(0, c.width), r.uniform(0, c.height), size, (250, 252, 255))


def aurora(c: Canvas, r: Random, horizon: float) -> None:
    """Hang curtains of northern lights in the sky."""
    phase, base = r.uniform(0, 6), horizon * r.uniform(0.5, 0.62)
    for k in range(round(46 * c.width)):
        x = k / 46
        y = base + 0.07 * math.sin(phase + x * 5) + 0.03 * math.sin(phase * 2 + x * 13)
        tone = mix((90, 240, 170), (150, 110, 240), 0.5 + 0.5 * math.sin(phase + x * 3))
        for j in range(6):
            c.glow(x, y - j * 0.05 * (0.6 + horizon), 0.075, tone, 0.34 * (1 - j / 6.5))
