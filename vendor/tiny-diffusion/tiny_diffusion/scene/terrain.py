"""The parts of a landscape below the horizon, and what stands on it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tiny_diffusion.scene import land, places, plants
from tiny_diffusion.scene.canvas import bright
from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.colours import COLOURS
from tiny_diffusion.scene.skyscape import luminary_side
from tiny_diffusion.scene.world import WATERS, Layer, Mirror, Part, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tiny_diffusion.scene.canvas import Canvas, Colour

GRASS: Colour = (92, 158, 76)
SAND: Colour = (230, 178, 106)
SNOW: Colour = (236, 241, 248)
EARTH: Colour = (216, 186, 140)
LAKE: Colour = (64, 132, 172)
SEA: Colour = (36, 112, 172)


def has_land_things(w: World) -> bool:
    """Whether things are asked for that stand on land."""
    return w.has("trees") or any(THINGS[t.name].realm is Realm.GROUND for t in w.prompt.things)


def ground_colour(w: World) -> Colour:
    """Give the colour of the land: what was asked for, or the season's."""
    for name in ("meadow", "hills", "forest"):
        wish = w.prompt.place(name)
        if wish is not None and wish.colour is not None:
            return COLOURS[wish.colour]
    if w.snow:
        return SNOW
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
    snow = 0.0 if w.prompt.rejects("snowcaps") else snow
    for depth in depths:
        near = depth == 2
        share = snow * (0.6 if near and not w.snow else 1)
        draw = partial(land.mountains, light=w.light, base=base, depth=depth, snow=share, rock=rock)
        yield Part(f"range {depth}", draw, 10)


def behind(w: World, r: Random) -> Iterator[Layer]:
    """Give what stands at the horizon behind the base."""
    horizon = w.horizon
    flat = w.base in WATERS
    end = horizon if flat else None
    for place in w.back:
        if place == "mountains":
            yield from _ranges(w, r, horizon, (0, 1) if w.base != "lake" else (0, 1, 2))
        elif place == "city":
            for depth in (0, 1, 2) if flat else (0, 1):
                yield _skyline(w, horizon, depth)
        elif place == "hills":
            for k, far in enumerate((0.9, 0.55)):
                y = horizon - (0.13 - 0.06 * k)
                yield _hills(w, f"hills {k}", y, end, far)
        else:
            yield _treeline(w, "far forest", horizon + 0.004, 0.2, 0.3)
    if w.base == "lake" and "forest" not in w.back and r.random() < 0.6:
        yield _treeline(w, "shore trees", horizon + 0.004, 0.1, 0.16)
    if w.base == "lake":
        yield Part("shore", partial(_shore, w), 4)


def _shore(w: World, c: Canvas, r: Random) -> None:
    grass = ground_colour(w)
    outline = land.wavy(r, w.horizon - 0.008, 0.004, 1.4, c.width)
    stops = [w.light.land(grass, 0.12), w.light.land(bright(grass, 0.7), 0.12)]
    c.ground(outline, stops, w.horizon + 0.004)


def _skyline(w: World, base: float, depth: int) -> Part:
    draw = partial(places.skyline, light=w.light, base=base, depth=depth)
    return Part(f"skyline {depth}", draw)


def _hills(w: World, name: str, top: float, bottom: float | None, depth: float) -> Part:
    colour = ground_colour(w)
    draw = partial(land.hills, light=w.light, top=top, bottom=bottom, colour=colour, depth=depth)
    return Part(name, draw)


def _treeline(w: World, name: str, base: float, height: float, distance: float) -> Part:
    draw = partial(
        plants.treeline,
        light=w.light,
        base=base,
        height=height,
        distance=distance,
        autumn=w.autumn,
        snow=w.snow,
    )
    return Part(name, draw)


def base(w: World, r: Random) -> Iterator[Layer]:
    """Give the ground or water, and what always belongs to it."""
    match w.base:
        case "mountains":
            yield from _ranges(w, r, w.horizon, (0, 1, 2))
            yield _treeline(w, "far trees", w.horizon + 0.02, 0.08, 0.22)
            yield from _meadow(w, r)
        case "hills":
            for k, far in enumerate((1.0, 0.66, 0.33)):
                y = w.horizon + w.depth * (0.2 * k - 0.32)
                yield _hills(w, f"hill {k}", y, None, far)
            yield from _meadow(w, r)
        case "meadow":
            yield from _meadow(w, r)
        case "forest":
            yield from _forest(w)
        case "desert":
            yield from _desert(w)
        case "city":
            for depth in (0, 1, 2):
                yield _skyline(w, w.horizon + w.depth * 0.3, depth)
            top = w.horizon + w.depth * 0.3
            yield Part("street", lambda c, r: places.street(c, r, w.light, top), 3)
        case _:
            yield from _water(w, r)
    if w.has("trees") or (w.base in {"mountains", "hills", "meadow"} and r.random() < 0.7):
        yield from _side_trees(w, r)


def _forest(w: World) -> Iterator[Part]:
    for k, far in enumerate((0.5, 0.24, 0.02)):
        y = w.horizon + w.depth * (0.2 * k - 0.06)
        yield Part(f"floor {k}", partial(_floor, w, y, far), 4)
        yield _treeline(w, f"wood {k}", y + 0.03, 0.24 + 0.1 * k, far)
    yield _near(w, "clearing", w.horizon + w.depth * 0.52, ground_colour(w))


def _desert(w: World) -> Iterator[Part]:
    asked = w.prompt.place("desert")
    sand = SNOW if w.snow else SAND
    if asked is not None and asked.colour is not None:
        sand = COLOURS[asked.colour]
    for k, far in enumerate((1.0, 0.7, 0.35, 0.0)):
        y = w.horizon + w.depth * (0.26 * k - 0.1)
        draw = partial(land.dunes, light=w.light, top=y, colour=sand, depth=far)
        yield Part(f"dune {k}", draw)


def _near(w: World, name: str, top: float, colour: Colour) -> Part:
    return Part(name, partial(land.ground, light=w.light, top=top, colour=colour))


def _floor(w: World, y: float, far: float, c: Canvas, r: Random) -> None:
    shade = bright(ground_colour(w), 0.8)
    c.ground(
        land.wavy(r, y, 0.012, 1, c.width),
        [w.light.land(shade, far), w.light.land(bright(shade, 0.7), far * 0.6)],
    )


def _meadow(w: World, r: Random) -> Iterator[Part]:
    yield _near(w, "ground", w.horizon + 0.015, ground_colour(w))
    if w.has("path"):
        draw = partial(land.path, light=w.light, horizon=w.horizon + 0.03, colour=EARTH)
        yield Part("path", draw, 6)
    asked = w.prompt.sight("flowers")
    if asked is not None or (w.base == "meadow" and not w.snow):
        name = asked.colour if asked else None
        colours = [COLOURS[name]] if name else r.sample(plants.BLOSSOMS, r.choice((1, 2, 3)))
        draw = partial(plants.flowers, light=w.light, top=w.horizon + 0.04, colours=colours)
        yield Part("flowers", draw, 5)


def _water(w: World, r: Random) -> Iterator[Layer]:
    light, horizon = w.light, w.horizon
    asked = next((p.colour for p in w.prompt.places if p.name in WATERS and p.colour), None)
    colour = COLOURS[asked] if asked else LAKE if w.base == "lake" else SEA
    if w.base == "lake":
        lit = light.land(colour)
        tint = bright(w.palette(lit) if w.palette else lit, 1 / 255)
        yield Mirror(horizon, tint, 0.8 if asked else 0.42)
    else:
        yield Part("sea", lambda c, _: land.sea(c, light, horizon, colour), 1)
    side = luminary_side(w)
    glitter = w.width * sum(side) / 2 if side and w.base != "lake" else None
    draw = partial(land.ripples, light=light, horizon=horizon, colour=colour, glitter=glitter)
    yield Part("ripples", draw, 5)
    if w.base == "island":
        palms = not w.prompt.rejects("palm")
        yield Part("island", partial(_island, w, palms=palms))
    if w.base == "beach":
        top = horizon + w.depth * 0.56
        yield Part("beach", lambda c, r: land.beach(c, r, light, top))
        for k, band in enumerate(((0.02, 0.16), (0.84, 0.98))):
            if r.random() < 0.6:
                yield Part(f"beach palm {k}", partial(_beach_palm, w, band))
    elif has_land_things(w):
        bank = SAND if w.base == "island" else ground_colour(w)
        yield _near(w, "bank", horizon + w.depth * 0.7, bank)


def _island(w: World, c: Canvas, r: Random, *, palms: bool) -> None:
    x = land.island(c, r, w.light, w.horizon, (0.3, 0.7))
    if not palms:
        return
    y = w.horizon - 0.01
    plants.palm(c, (x - 0.06, y), r.uniform(0.24, 0.32), w.light, -r.uniform(0.1, 0.3))
    plants.palm(c, (x + 0.05, y), r.uniform(0.18, 0.26), w.light, r.uniform(0.1, 0.3))


def _beach_palm(w: World, band: tuple[float, float], c: Canvas, r: Random) -> None:
    lean = r.uniform(0.08, 0.28) * (1 if band[0] < 0.5 else -1)
    y = w.horizon + w.depth * r.uniform(0.74, 0.92)
    plants.palm(c, (w.width * r.uniform(*band), y), r.uniform(0.42, 0.58), w.light, lean)


def _side_trees(w: World, r: Random) -> Iterator[Layer]:
    """Trees at both sides, which leave the middle free."""
    count = round((4 if w.has("trees") else r.randint(1, 3)) * max(1.0, w.width * 0.75))
    for k in range(count):
        left = k % 2 == 0
        inner = (k // 2) * 0.5 / max(1, count - 1)
        band = (inner, inner + 0.14) if left else (0.86 - inner, 1 - inner)
        yield Part(f"side tree {k}", partial(_side_tree, w, band), 6)


def _side_tree(w: World, band: tuple[float, float], c: Canvas, r: Random) -> None:
    x, height = c.width * r.uniform(*band), r.uniform(0.2, 0.34)
    start = 0.72 if w.base in WATERS else 0.14
    y = w.horizon + w.depth * r.uniform(start, start + 0.2)
    conifer = r.random() < 0.55 or w.snow
    colour = plants.leaf(r, autumn=w.autumn, pine=conifer)
    if conifer:
        plants.pine(c, (x, y), height, w.light, colour, snow=w.snow)
    else:
        plants.round_tree(c, (x, y), height, w.light, colour, snow=w.snow)
