"""The parts of a landscape above the horizon, and the weather before it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tiny_diffusion.scene import sky
from tiny_diffusion.scene.canvas import mix
from tiny_diffusion.scene.world import Part, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


def above(w: World, r: Random) -> Iterator[Part]:
    """Give the sky and what is in it."""
    light, horizon = w.light, w.horizon
    dark = light.time == "night"
    yield Part("sky", lambda c, _: sky.sky(c, light, horizon), 1)
    if w.has("aurora"):
        yield Part("aurora", lambda c, r: sky.aurora(c, r, horizon), 6)
    if w.has("stars") or (dark and r.random() < 0.9):
        yield Part("stars", lambda c, r: sky.stars(c, r, horizon), 4)
    if w.has("rainbow"):
        yield Part("rainbow", lambda c, r: sky.rainbow(c, r, horizon), 6)
    yield from _luminary(w, r)
    if light.time == "storm":
        yield Part("overcast", lambda c, r: sky.overcast(c, r, light), 4)
    asked = w.has("clouds")
    count = r.randint(3, 5) if asked else 0 if dark else r.choice((0, 1, 2, 3))
    count = round(count * max(1.0, w.width * 0.7))
    for k in range(count):
        step = w.width / count
        top = (0.12, 0.42) if light.time != "storm" else (0.2, 0.42)
        box = (step * (k + 0.15), step * (k + 0.85), horizon * top[0], horizon * top[1])
        yield Part(f"cloud {k}", partial(sky.cloud, light=light, box=box), 6)
    if w.has("lightning") or (light.time == "storm" and r.random() < 0.4):
        yield Part("lightning", lambda c, r: sky.lightning(c, r, horizon), 8)
    if w.has("birds") or (light.time in {"day", "sunset"} and r.random() < 0.3):
        flock = r.randint(4, 7) if w.has("birds") else r.randint(2, 4)
        yield Part("birds", lambda c, r: sky.birds(c, r, light, (0.2, 0.8), flock), 6)


def luminary_side(w: World) -> tuple[float, float] | None:
    """Give the range of x (shares of the width) of sun or moon, or None where there is none."""
    r = w.random
    wanted = w.prompt.sight("sun") or w.prompt.sight("moon")
    chance = r.random() < 0.75 and w.light.time != "storm"
    if (wanted is None and not chance) or w.prompt.rejects("moon" if shows_moon(w) else "sun"):
        return None
    side = (wanted.side if wanted else None) or r.choice(("left", "right", "middle"))
    return {"left": (0.14, 0.36), "right": (0.64, 0.86), "middle": (0.4, 0.6)}[side]


def shows_moon(w: World) -> bool:
    """Whether the moon is in the sky, and not the sun."""
    return w.light.time == "night" and not w.has("sun")


def _luminary(w: World, r: Random) -> Iterator[Part]:
    box = luminary_side(w)
    if box is None:
        return
    if shows_moon(w):
        draw = partial(sky.moon, light=w.light, horizon=w.horizon, box=box)
        yield Part("moon", partial(draw, crescent=r.random() < 0.4))
    else:
        yield Part("sun", lambda c, r: sky.sun(c, r, w.light, w.horizon, box))


def weather(w: World) -> Iterator[Part]:
    """Give rain, snow and fog, which are before everything."""
    light = w.light
    if w.has("rain"):
        yield Part("rain", lambda c, r: sky.rain(c, r, light), 3)
    if w.has("snowfall"):
        yield Part("snowfall", sky.snowfall, 3)
    if "foggy" in w.prompt.styles:
        veil = mix(light.sky[2], (226, 230, 234), 0.5)
        yield Part("fog", lambda c, _: c.haze(w.horizon * 0.5, w.height * 1.05, veil, 0.6), 1)
