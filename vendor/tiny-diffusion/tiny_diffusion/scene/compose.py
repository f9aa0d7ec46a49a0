"""The parts of any world, from back to front."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tiny_diffusion.scene import places, shapes, sky
from tiny_diffusion.scene.canvas import bright
from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.colours import COLOURS, jitter
from tiny_diffusion.scene.inset import inset
from tiny_diffusion.scene.landscape import landscape
from tiny_diffusion.scene.placing import Slot, slots, thing_part
from tiny_diffusion.scene.world import Layer, Mirror, Part, World, accepted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tiny_diffusion.scene.canvas import Canvas, Colour

PLANETS: tuple[Colour, ...] = ((216, 124, 74), (84, 144, 216), (202, 172, 112), (154, 94, 194),
                               (94, 184, 154), (204, 84, 94))  # fmt: skip
NEBULAE: tuple[Colour, ...] = ((92, 36, 150), (28, 76, 150), (140, 38, 104), (24, 110, 120))


DETAILS = {
    "side tree": "trees", "far trees": "forest", "shore trees": "forest", "far forest": "forest",
    "wood": "forest", "beach palm": "palm", "cloud": "clouds", "overcast": "clouds", "sun": "sun",
    "moon": "moon", "stars": "stars", "birds": "birds", "lightning": "lightning",
    "flowers": "flowers", "galaxy": "galaxy", "world": "planet",
}  # fmt: skip
"""What a picture has of its own, and what a negative prompt calls it."""


def compose(world: World) -> list[Layer]:
    """Give the parts of a world, from back to front."""
    layers = _compose(world)
    if not world.prompt.without:
        return layers
    return [layer for layer in layers if isinstance(layer, Mirror) or not _rejected(world, layer)]


def _rejected(world: World, part: Part) -> bool:
    stem = part.name.rstrip("0123456789 ")
    return world.prompt.rejects(DETAILS.get(stem))


def _compose(world: World) -> list[Layer]:
    if world.frame is not None:
        return inset(world, world.frame, _shapes(world))
    match world.base:
        case "plain":
            layers: list[Layer] = [*_plain(world)]
        case "space":
            layers = [*_space(world)]
        case _:
            layers = landscape(world)
    return [*layers, *_shapes(world)]


def _shapes(world: World) -> Iterator[Part]:
    r = world.random
    placed = slots(world.prompt.shapes, world.width, r)
    usual = ("red", "yellow", "blue", "green", "white", "purple", "orange")
    ground = _background(world)
    for index, slot in enumerate(placed):
        name = slot.wish.colour
        others = [COLOURS[n] for n in accepted(world.prompt, usual, slot.wish.name)]
        free = r.choice([c for c in others if c != ground] or others)
        colour = COLOURS[name] if name else free
        yield Part(f"shape {index}", partial(_shape, world, slot, colour))


def _shape(world: World, slot: Slot, colour: Colour, c: Canvas, r: Random) -> None:
    band = slot.band[1] - slot.band[0]
    limit = min(band * 0.47, world.height * 0.44, world.width * 0.44)
    plain = world.base in {"plain", "picture"}
    radius = min(limit, (0.31 if plain else 0.17) * slot.wish.size * r.uniform(0.86, 1.1))
    slack = max(0.0, band / 2 - radius) * 0.5
    x = (slot.band[0] + slot.band[1]) / 2 + r.uniform(-slack, slack)
    middle = world.height / 2 if plain else max(world.horizon * 0.5, radius * 1.1)
    y = middle + r.uniform(-1, 1) * max(0.0, middle - radius) * 0.4
    tint = jitter(colour, r, 5)
    if slot.wish.name == "ring":
        shapes.ring(c, (x, y), radius, tint)
    else:
        turn = r.uniform(-0.16, 0.16)
        shapes.shape(c, slot.wish.name, (x, y), radius, turn=turn, colour=tint)


def _background(world: World) -> Colour:
    """Give the plain ground's colour: the one asked for, or one unlike the shapes."""
    name = world.prompt.background
    if name is None:
        used = {w.colour for w in (*world.prompt.shapes, *world.prompt.things)}
        free = [n for n in ("white", "blue", "yellow", "pink", "cyan", "green") if n not in used]
        free = accepted(world.prompt, free, "background")
        name = world.random.choice(free)
    return COLOURS[name]


def _plain(world: World) -> Iterator[Part]:
    r = world.random
    ground = jitter(_background(world), r, 5)
    lift = r.choice((1.0, 1.05))
    stops = [bright(ground, lift), bright(ground, 2 - lift - 0.02)]
    yield Part("ground", lambda c, _: c.gradient(0, c.height, stops), 1)
    zone = (world.height * 0.66, world.height * 0.8)
    for index, slot in enumerate(slots(world.prompt.things, world.width, r)):
        air = THINGS[slot.wish.name].realm is Realm.AIR
        yield thing_part(
            slot, world, (world.height * 0.45, world.height * 0.55) if air else zone, index
        )


def _space(world: World) -> Iterator[Part]:
    r = world.random
    place = world.prompt.place("space")
    tint = COLOURS[place.colour] if place and place.colour else r.choice(NEBULAE)
    yield Part("space", lambda c, r: places.deep_space(c, r, tint), 6)
    yield Part("stars", lambda c, r: sky.stars(c, r, world.height, 90), 4)
    asked = any(w.name == "planet" for w in world.prompt.things)
    if world.has("galaxy") or (not asked and r.random() < 0.2):
        yield Part("galaxy", lambda c, r: places.galaxy(c, r, tint), 6)
    elif not asked:
        for k in range(r.choice((1, 2, 3)) if not world.prompt.things else 1):
            yield Part(f"world {k}", partial(_planet, world, k, r.choice(PLANETS)))
    zone = (world.height * 0.55, world.height * 0.8)
    for index, slot in enumerate(slots(world.prompt.things, world.width, r)):
        air = THINGS[slot.wish.name].realm is Realm.AIR
        yield thing_part(
            slot, world, (world.height * 0.36, world.height * 0.6) if air else zone, index
        )


def _planet(world: World, k: int, colour: Colour, c: Canvas, r: Random) -> None:
    size = r.uniform(0.07, 0.13) if world.prompt.things else r.uniform(0.09, 0.2) / (1 + 0.4 * k)
    left = (0.62, 0.16, 0.4)[k] if not world.prompt.things else r.choice((0.08, 0.76))
    x = world.width * (left + r.uniform(0, 0.22))
    y = world.height * ((0.2, 0.6, 0.75)[k] + r.uniform(-0.06, 0.12))
    places.planet(c, r, (x, y), size, jitter(colour, r, 12), ring=r.random() < 0.45)
