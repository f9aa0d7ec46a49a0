"""The parts of a landscape, from back to front."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tiny_diffusion.scene import land, places, plants, sky
from tiny_diffusion.scene.canvas import bright, mix
from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.colours import COLOURS
from tiny_diffusion.scene.placing import slots, thing_part
from tiny_diffusion.scene.world import WATERS, Mirror, Part, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tiny_diffusion.scene.canvas import Canvas, Colour

Layer = Part | Mirror
GRASS: Colour = (92, 158, 76)
SAND: Colour = (230, 178, 106)


def landscape(w: World) -> list[Layer]:
    """Give the parts of a landscape, from back to front."""
    r = w.random
    return [*_above(w, r), *_behind(w, r), *_base(w, r), *_things(w, r), *_weather(w)]


def _above(w: World, r: Random) -> Iterator[Layer]:
    """The sky and what is in it."""
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
        yield Part(f"cloud {k}", partial(_cloud, w, box), 6)
    if w.has("lightning") or (light.time == "storm" and r.random() < 0.4):
        yield Part("lightning", lambda c, r: sky.lightning(c, r, horizon), 8)
    if w.has("birds") or (light.time in {"day", "sunset"} and r.random() < 0.3):
        flock = r.randint(4, 7) if w.has("birds") else r.randint(2, 4)
        yield Part("birds", lambda c, r: sky.birds(c, r, light, (0.2, 0.8), flock), 6)


def _cloud(w: World, box: tuple[float, float, float, float], c: Canvas, r: Random) -> None:
    sky.cloud(c, r, w.light, box)


def luminary_side(w: World) -> tuple[float, float] | None:
    """Give the range of x (shares of the width) of sun or moon, or None where there is none."""
    r = w.random
    wanted = w.prompt.sight("sun") or w.prompt.sight("moon")
    chance = r.random() < 0.75 and w.light.time != "storm"
    if wanted is None and not chance:
        return None
    side = (wanted.side if wanted else None) or r.choice(("left", "right", "middle"))
    return {"left": (0.14, 0.36), "right": (0.64, 0.86), "middle": (0.4, 0.6)}[side]


def _luminary(w: World, r: Random) -> Iterator[Layer]:
    box = luminary_side(w)
    if box is None:
        return
    if w.light.time == "night" and not w.has("sun"):
        crescent = r.random() < 0.4
        draw = partial(_moon, w, box, crescent)
        yield Part("moon", draw)
    else:
        yield Part("sun", lambda c, r: sky.sun(c, r, w.light, w.horizon, box))


def _moon(w: World, box: tuple[float, float], crescent: bool, c: Canvas, r: Random) -> None:  # noqa: FBT001 - bound by partial
    sky.moon(c, r, w.light, w.horizon, box, crescent=crescent)


def _ground_colour(w: World) -> Colour:
    for name in ("meadow", "hills", "forest"):
        wish = w.prompt.place(name)
        if wish is not None and wish.colour is not None:
            return COLOURS[wish.colour]
    if w.snow:
        return (236, 241, 248)
    if w.autumn:
        return (190, 128, 62)
    return GRASS


def _rock(w: World, r: Random) -> Colour:
    wish = w.prompt.place("mountains")
    if wish is not None and wish.colour is not None:
        return COLOURS[wish.colour]
    return r.choice(land.ROCKS)


def _ranges(w: World, r: Random, base: float, depths: tuple[int, ...]) -> Iterator[Layer]:
    rock = _rock(w, r)
    snow = 0.62 if w.snow or w.has("snowcaps") else r.choice((0.0, 0.28, 0.36, 0.44))
    for depth in depths:
        near = depth == 2
        share = snow * (0.6 if near and not w.snow else 1)
        draw = partial(_range, w, base, depth, share, rock)
        yield Part(f"range {depth}", draw, 10)


def _range(w: World, base: float, depth: int, snow: float, rock: Colour, c: Canvas, r: Random) -> None:
    land.mountains(c, r, w.light, base, depth=depth, snow=snow, rock=rock)


def _behind(w: World, r: Random) -> Iterator[Layer]:
    """What stands at the horizon behind the base."""
    horizon, light = w.horizon, w.light
    grass = _ground_colour(w)
    flat = w.base in WATERS
    end = horizon if flat else None
    for place in w.back:
        if place == "mountains":
            yield from _ranges(w, r, horizon, (0, 1) if w.base != "lake" else (0, 1, 2))
        elif place == "city":
            for depth in (0, 1, 2) if flat else (0, 1):
                yield Part(f"skyline {depth}", partial(_skyline, w, horizon, depth), 8)
        elif place == "hills":
            for k, depth in enumerate((0.9, 0.55)):
                y = horizon - (0.13 - 0.06 * k)
                yield Part(f"hills {k}", partial(_hills, w, y, end, grass, depth), 8)
        else:
            yield Part("far forest", partial(_treeline, w, horizon + 0.004, 0.2, 0.3), 6)
    if w.base == "lake" and "forest" not in w.back and r.random() < 0.6:
        yield Part("shore trees", partial(_treeline, w, horizon + 0.004, 0.1, 0.16), 6)
    if w.base == "lake":
        yield Part("shore", lambda c, r: c.ground(
            land.wavy(r, horizon - 0.008, 0.004, 1.4, c.width),
            [light.land(grass, 0.12), light.land(bright(grass, 0.7), 0.12)], horizon + 0.004), 4)  # fmt: skip


def _skyline(w: World, base: float, depth: int, c: Canvas, r: Random) -> None:
    places.skyline(c, r, w.light, base, depth)


def _hills(w: World, y: float, end: float | None, colour: Colour, depth: float, c: Canvas, r: Random) -> None:
    land.hills(c, r, w.light, y, end, colour, depth)


def _treeline(w: World, base: float, height: float, distance: float, c: Canvas, r: Random) -> None:
    plants.treeline(c, r, w.light, base, height, autumn=w.autumn, snow=w.snow, distance=distance)


def _base(w: World, r: Random) -> Iterator[Layer]:
    """The ground or water, and what always belongs to it."""
    horizon, light, depth = w.horizon, w.light, w.height - w.horizon
    grass = _ground_colour(w)
    match w.base:
        case "mountains":
            yield from _ranges(w, r, horizon, (0, 1, 2))
            yield Part("far trees", partial(_treeline, w, horizon + 0.02, 0.08, 0.22), 6)
            yield from _meadow(w, r, grass)
        case "hills":
            for k, far in enumerate((1.0, 0.66, 0.33)):
                y = horizon + depth * (0.2 * k - 0.32)
                yield Part(f"hill {k}", partial(_hills, w, y, None, grass, far), 8)
            yield from _meadow(w, r, grass)
        case "meadow":
            yield from _meadow(w, r, grass)
        case "forest":
            for k, far in enumerate((0.5, 0.24, 0.02)):
                y = horizon + depth * (0.2 * k - 0.06)
                yield Part(f"floor {k}", partial(_floor, w, y, grass, far), 4)
                yield Part(f"wood {k}", partial(_treeline, w, y + 0.03, 0.24 + 0.1 * k, far), 8)
            yield Part("clearing", lambda c, r: land.ground(c, r, light, horizon + depth * 0.52, grass), 6)
        case "desert":
            place = w.prompt.place("desert")
            sand = COLOURS[place.colour] if place and place.colour else (236, 241, 248) if w.snow else SAND
            for k, far in enumerate((1.0, 0.7, 0.35, 0.0)):
                y = horizon + depth * (0.26 * k - 0.1)
                yield Part(f"dune {k}", partial(_dunes, w, y, sand, far), 8)
        case "city":
            for far in (0, 1, 2):
                yield Part(f"skyline {far}", partial(_skyline, w, horizon + depth * 0.3, far), 8)
            yield Part("street", lambda c, r: places.street(c, r, light, horizon + depth * 0.3), 3)
        case _:
            yield from _water(w, r)
    if w.has("trees") or (w.base in {"mountains", "hills", "meadow"} and r.random() < 0.7):
        yield from _side_trees(w, r)


def _floor(w: World, y: float, colour: Colour, far: float, c: Canvas, r: Random) -> None:
    shade = bright(colour, 0.8)
    c.ground(land.wavy(r, y, 0.012, 1, c.width), [w.light.land(shade, far), w.light.land(bright(shade, 0.7), far * 0.6)])


def _dunes(w: World, y: float, colour: Colour, far: float, c: Canvas, r: Random) -> None:
    land.dunes(c, r, w.light, y, colour, far)


def _meadow(w: World, r: Random, grass: Colour) -> Iterator[Layer]:
    light, horizon = w.light, w.horizon
    yield Part("ground", lambda c, r: land.ground(c, r, light, horizon + 0.015, grass), 8)
    if w.has("path"):
        yield Part("path", lambda c, r: land.path(c, r, light, horizon + 0.03, (216, 186, 140)), 6)
    asked = w.prompt.sight("flowers")
    if asked is not None or (w.base == "meadow" and not w.snow):
        name = asked.colour if asked else None
        colours = [COLOURS[name]] if name else r.sample(plants.BLOSSOMS, r.choice((1, 2, 3)))
        yield Part("flowers", lambda c, r: plants.flowers(c, r, light, horizon + 0.04, colours), 5)


def _water(w: World, r: Random) -> Iterator[Layer]:
    light, horizon, depth = w.light, w.horizon, w.height - w.horizon
    asked = next((p.colour for p in w.prompt.places if p.name in WATERS and p.colour), None)
    colour = COLOURS[asked] if asked else (64, 132, 172) if w.base == "lake" else (36, 112, 172)
    if w.base == "lake":
        tint = bright(light.land(colour), 1 / 255)
        yield Mirror(horizon, tint, 0.8 if asked else 0.42)
    else:
        yield Part("sea", lambda c, _: land.sea(c, light, horizon, colour), 1)
    side = luminary_side(w)
    glitter = w.width * sum(side) / 2 if side and w.base != "lake" else None
    yield Part("ripples", lambda c, r: land.ripples(c, r, light, horizon, colour, glitter), 5)
    if w.base == "island":
        yield Part("island", partial(_island, w), 8)
    if w.base == "beach":
        yield Part("beach", lambda c, r: land.beach(c, r, light, horizon + depth * 0.56), 8)
        for k, band in enumerate(((0.02, 0.16), (0.84, 0.98))):
            if r.random() < 0.6:
                yield Part(f"beach palm {k}", partial(_beach_palm, w, band), 8)
    elif _has_land_things(w):
        grass = SAND if w.base == "island" else _ground_colour(w)
        yield Part("bank", lambda c, r: land.ground(c, r, light, horizon + depth * 0.7, grass), 6)


def _island(w: World, c: Canvas, r: Random) -> None:
    x = land.island(c, r, w.light, w.horizon, (0.3, 0.7))
    plants.palm(c, x - 0.06, w.horizon - 0.01, r.uniform(0.24, 0.32), w.light, -r.uniform(0.1, 0.3))
    plants.palm(c, x + 0.05, w.horizon - 0.01, r.uniform(0.18, 0.26), w.light, r.uniform(0.1, 0.3))


def _beach_palm(w: World, band: tuple[float, float], c: Canvas, r: Random) -> None:
    lean = r.uniform(0.08, 0.28) * (1 if band[0] < 0.5 else -1)
    y = w.horizon + (w.height - w.horizon) * r.uniform(0.74, 0.92)
    plants.palm(c, w.width * r.uniform(*band), y, r.uniform(0.42, 0.58), w.light, lean)


def _side_trees(w: World, r: Random) -> Iterator[Layer]:
    """Trees at both sides, which leave the middle free."""
    count = round((4 if w.has("trees") else r.randint(1, 3)) * max(1.0, w.width * 0.75))
    for k in range(count):
        left = k % 2 == 0
        inner = (k // 2) * 0.5 / max(1, count - 1)
        band = (inner, inner + 0.14) if left else (0.86 - inner, 1 - inner)
        yield Part(f"tree {k}", partial(_side_tree, w, band), 6)


def _side_tree(w: World, band: tuple[float, float], c: Canvas, r: Random) -> None:
    x, height = c.width * r.uniform(*band), r.uniform(0.2, 0.34)
    start = 0.72 if w.base in WATERS else 0.14
    y = w.horizon + (w.height - w.horizon) * r.uniform(start, start + 0.2)
    conifer = r.random() < 0.55 or w.snow
    colour = plants.leaf(r, autumn=w.autumn, pine=conifer)
    if conifer:
        plants.pine(c, x, y, height, w.light, colour, snow=w.snow)
    else:
        plants.round_tree(c, x, y, height, w.light, colour, snow=w.snow)


def _has_land_things(w: World) -> bool:
    return w.has("trees") or any(THINGS[t.name].realm is Realm.GROUND for t in w.prompt.things)


def _zone(w: World, realm: Realm, *, far: bool) -> tuple[float, float]:
    """Give the range of y for the feet of things; in the air, for their middle."""
    horizon, depth = w.horizon, w.height - w.horizon
    if realm is Realm.AIR:
        return (horizon * 0.3, horizon * 0.56)
    if realm is Realm.WATER:
        return (horizon + depth * 0.2, horizon + depth * (0.5 if _has_land_things(w) else 0.62))
    if w.base in WATERS:
        return (horizon + depth * 0.8, horizon + depth * 0.93)
    if w.base == "city":
        return (horizon + depth * 0.62, horizon + depth * 0.9)
    if far:
        return (horizon + depth * 0.16, horizon + depth * 0.34)
    start = 0.6 if w.base == "forest" else 0.36
    return (horizon + depth * start, horizon + depth * 0.88)


def _things(w: World, r: Random) -> Iterator[Layer]:
    """What was asked for by name, each in its realm, the near ones last."""
    air = [t for t in w.prompt.things if THINGS[t.name].realm is Realm.AIR]
    low = [t for t in w.prompt.things if THINGS[t.name].realm is not Realm.AIR]
    placed = [*slots(air, w.width, r), *slots(low, w.width, r)]
    order = [Realm.AIR, Realm.WATER, Realm.GROUND]
    placed.sort(key=lambda s: (order.index(THINGS[s.wish.name].realm), not THINGS[s.wish.name].far))
    for index, slot in enumerate(placed):
        thing = THINGS[slot.wish.name]
        yield thing_part(slot, w, _zone(w, thing.realm, far=thing.far), index)


def _weather(w: World) -> Iterator[Layer]:
    """Rain, snow and fog before everything."""
    light = w.light
    if w.has("rain"):
        yield Part("rain", lambda c, r: sky.rain(c, r, light), 3)
    if w.has("snowfall"):
        yield Part("snowfall", sky.snowfall, 3)
    if "foggy" in w.prompt.styles:
        veil = mix(light.sky[2], (226, 230, 234), 0.5)
        yield Part("fog", lambda c, _: c.haze(w.horizon * 0.5, w.height * 1.05, veil, 0.6), 1)
