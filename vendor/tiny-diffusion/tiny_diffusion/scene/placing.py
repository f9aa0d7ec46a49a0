"""Where things go: each gets a band of its own, so that no two cover each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiny_diffusion.scene.catalogue import THINGS, Realm, Thing
from tiny_diffusion.scene.colours import COLOURS, jitter
from tiny_diffusion.scene.pen import Pen
from tiny_diffusion.scene.world import Part, accepted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tiny_diffusion.prompt import Wish
    from tiny_diffusion.scene.canvas import Canvas, Colour
    from tiny_diffusion.scene.world import World

Band = tuple[float, float]


SHARES = {"plain": 0.42, "picture": 0.8}
"""How much of the height a thing fills where there is no landscape around it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing to be drawn, and its band from left to right."""

    wish: Wish
    band: Band


def slots(wishes: Sequence[Wish], width: float, r: Random) -> list[Slot]:
    """Give every thing a band; "left" and "right" are kept, like things stay together."""
    sides: dict[str, list[Wish]] = {"left": [], "middle": [], "right": []}
    for wish in r.sample(list(wishes), len(wishes)):
        sides[wish.side or "middle"] += [wish] * (wish.count or 1)
    left, middle, right = (sides[s] for s in ("left", "middle", "right"))
    if middle:
        spans = {"left": (0.03, 0.36), "right": (0.64, 0.97)}
        spans["middle"] = (0.36 if left else 0.05, 0.64 if right else 0.95)
    else:
        spans = {"left": (0.04, 0.47), "right": (0.53, 0.96), "middle": (0.1, 0.9)}
    found = []
    for side, members in (("left", left), ("middle", middle), ("right", right)):
        low, high = spans[side]
        step = (high - low) / max(1, len(members)) * width
        for k, wish in enumerate(members):
            found.append(Slot(wish, (low * width + k * step, low * width + (k + 1) * step)))
    return found


def colour_of(wish: Wish, world: World, index: int) -> Colour:
    """Give the colour that was asked for, or one that the thing often has."""
    usual: Sequence[str] = THINGS[wish.name].colours
    if world.autumn and wish.name == "tree":
        usual = ("orange", "red", "gold")
    usual = accepted(world.prompt, usual, wish.name)
    turn = world.random.randrange(len(usual)) + (index if wish.name == "planet" else 0)
    return COLOURS[wish.colour or usual[turn % len(usual)]]


def thing_part(slot: Slot, world: World, zone: Band, index: int) -> Part:
    """Make the part that draws a thing: its feet (in the air, its middle) in a zone of y."""
    thing = THINGS[slot.wish.name]
    colour = colour_of(slot.wish, world, index)

    def draw(c: Canvas, r: Random) -> None:
        size = _size(thing, slot, zone, world) * r.uniform(0.86, 1.08)
        x = _middle(slot.band, size * thing.width, r)
        y = zone[0] + (zone[1] - zone[0]) * r.random()
        if thing.realm is Realm.AIR:
            y += size / 2
        pen = Pen(c, (x, y), size, world.light, r, mirror=r.random() < 0.5)
        thing.draw(pen, jitter(colour, r, 5), snow=world.snow)

    return Part(f"{slot.wish.name} {index}", draw)


def _size(thing: Thing, slot: Slot, zone: Band, world: World) -> float:
    band = slot.band[1] - slot.band[0]
    size = thing.height * slot.wish.size * min(1.0, 0.72 + 0.28 * world.width)
    if world.base in SHARES:
        size = max(size, SHARES[world.base] * slot.wish.size)
    room = world.height * 0.6 if thing.realm is Realm.AIR else zone[0] * 0.96 / thing.reach
    return min(size, band * 0.94 / thing.width, room)


def _middle(band: Band, width: float, r: Random) -> float:
    slack = max(0.0, (band[1] - band[0] - width) / 2) * 0.8
    return (band[0] + band[1]) / 2 + r.uniform(-slack, slack)
