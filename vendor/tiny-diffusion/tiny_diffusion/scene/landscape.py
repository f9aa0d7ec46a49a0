"""A landscape: sky, terrain, things and weather, from back to front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.placing import slots, thing_part
from tiny_diffusion.scene.skyscape import above, weather
from tiny_diffusion.scene.terrain import base, behind, has_land_things
from tiny_diffusion.scene.world import WATERS, Layer, Part, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


def landscape(w: World) -> list[Layer]:
    """Give the parts of a landscape, from back to front."""
    r = w.random
    return [*above(w, r), *behind(w, r), *base(w, r), *_things(w, r), *weather(w)]


def _zone(w: World, realm: Realm, *, far: bool) -> tuple[float, float]:
    """Give the range of y for the feet of things; in the air, for their middle."""
    horizon, depth = w.horizon, w.depth
    if realm is Realm.AIR:
        return (horizon * 0.3, horizon * 0.56)
    if realm is Realm.WATER:
        return (horizon + depth * 0.2, horizon + depth * (0.5 if has_land_things(w) else 0.62))
    if w.base in WATERS:
        return (horizon + depth * 0.8, horizon + depth * 0.93)
    if w.base == "city":
        return (horizon + depth * 0.62, horizon + depth * 0.9)
    if far:
        return (horizon + depth * 0.16, horizon + depth * 0.34)
    start = 0.6 if w.base == "forest" else 0.36
    return (horizon + depth * start, horizon + depth * 0.88)


def _things(w: World, r: Random) -> Iterator[Part]:
    """Give what was asked for by name, each in its realm, the near ones last."""
    air = [t for t in w.prompt.things if THINGS[t.name].realm is Realm.AIR]
    low = [t for t in w.prompt.things if THINGS[t.name].realm is not Realm.AIR]
    placed = [*slots(air, w.width, r), *slots(low, w.width, r)]
    order = [Realm.AIR, Realm.WATER, Realm.GROUND]
    placed.sort(key=lambda s: (order.index(THINGS[s.wish.name].realm), not THINGS[s.wish.name].far))
    for index, slot in enumerate(placed):
        thing = THINGS[slot.wish.name]
        yield thing_part(slot, w, _zone(w, thing.realm, far=thing.far), index)
