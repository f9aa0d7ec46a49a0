"""The things that can be asked for: who draws each, where it belongs, how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tiny_diffusion.scene import animals, buildings, places, plants, vehicles

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tiny_diffusion.scene.canvas import Colour
    from tiny_diffusion.scene.pen import Pen


class Realm(StrEnum):
    """Where a thing belongs."""

    GROUND = "ground"
    WATER = "water"
    AIR = "air"


@dataclass(frozen=True, slots=True)
class Thing:
    """How a thing is drawn, where it belongs, how large it is.

    `height` is in units of the picture; `width` and `reach`, how high its top is, in those of its
    height. Things that are `far` stand near the horizon.
    """

    draw: Callable[..., None]
    realm: Realm
    height: float
    width: float
    colours: tuple[str, ...]
    homes: tuple[str, ...] = ("hills", "meadow", "mountains")
    far: bool = False
    reach: float = 1.15


def _pine(p: Pen, colour: Colour, *, snow: bool) -> None:
    plants.pine(p.canvas, p.at, p.size, p.light, _leaf(p.r, colour, pine=True), snow=snow)


def _tree(p: Pen, colour: Colour, *, snow: bool) -> None:
    plants.round_tree(p.canvas, p.at, p.size, p.light, _leaf(p.r, colour, pine=False), snow=snow)


def _leaf(r: Random, colour: Colour, *, pine: bool) -> Colour:
    return (
        plants.leaf(r, autumn=False, pine=pine) if colour[1] > max(colour[0], colour[2]) else colour
    )


def _palm(p: Pen, colour: Colour, *, snow: bool) -> None:
    del colour, snow
    plants.palm(p.canvas, p.at, p.size, p.light, p.r.uniform(-0.25, 0.25))


def _cactus(p: Pen, colour: Colour, *, snow: bool) -> None:
    del colour, snow
    plants.cactus(p.canvas, p.at, p.size, p.light)


def _planet(p: Pen, colour: Colour, *, snow: bool) -> None:
    del snow
    x, y = p.at
    places.planet(
        p.canvas, p.r, (x, y - p.size / 2), p.size * 0.42, colour, ring=p.r.random() < 0.5
    )


_G, _W, _A = Realm.GROUND, Realm.WATER, Realm.AIR
_HOUSES = ("red", "white", "blue", "yellow", "orange")
THINGS: dict[str, Thing] = {
    "house": Thing(buildings.house, _G, 0.3, 1.3, _HOUSES),
    "village": Thing(
        buildings.village, _G, 0.34, 2.0, _HOUSES, ("hills", "mountains", "lake"), far=True
    ),
    "castle": Thing(
        buildings.castle, _G, 0.43, 1.0, ("gray",), ("hills", "mountains"), far=True, reach=1.7
    ),
    "lighthouse": Thing(buildings.lighthouse, _G, 0.5, 0.4, ("red", "blue"), ("sea",)),
    "church": Thing(buildings.church, _G, 0.36, 1.0, ("white", "gray"), ("hills", "mountains")),
    "windmill": Thing(
        buildings.windmill, _G, 0.42, 0.95, ("white", "red", "brown"), ("meadow", "hills")
    ),
    "pyramid": Thing(buildings.pyramid, _G, 0.34, 1.8, ("gold",), ("desert",), far=True),
    "tent": Thing(
        buildings.tent, _G, 0.24, 1.6, ("orange", "blue", "red"), ("mountains", "forest")
    ),
    "snowman": Thing(
        buildings.snowman, _G, 0.36, 0.7, ("red", "blue", "green"), ("hills", "forest")
    ),
    "bridge": Thing(buildings.bridge, _W, 0.26, 2.0, ("gray", "brown"), ("lake",)),
    "boat": Thing(
        vehicles.boat, _W, 0.3, 1.15, ("red", "white", "blue", "yellow"), ("sea", "lake")
    ),
    "ship": Thing(vehicles.ship, _W, 0.3, 1.7, ("black", "blue", "red"), ("sea",)),
    "duck": Thing(animals.duck, _W, 0.2, 1.4, ("yellow", "white"), ("lake",)),
    "fish": Thing(animals.fish, _W, 0.22, 1.6, ("orange", "yellow", "red"), ("sea",)),
    "balloon": Thing(
        vehicles.balloon,
        _A,
        0.38,
        0.85,
        ("red", "orange", "yellow", "purple"),
        ("hills", "mountains", "lake", "meadow"),
    ),
    "kite": Thing(vehicles.kite, _A, 0.28, 0.7, ("red", "yellow", "blue"), ("meadow", "beach")),
    "airplane": Thing(
        vehicles.airplane, _A, 0.24, 1.45, ("red", "blue"), ("mountains", "sea", "hills")
    ),
    "rocket": Thing(vehicles.rocket, _A, 0.4, 0.65, ("red", "blue", "orange"), ("space",)),
    "ufo": Thing(vehicles.ufo, _A, 0.24, 1.3, ("gray", "purple"), ("space", "hills", "desert")),
    "butterfly": Thing(animals.butterfly, _A, 0.2, 1.15, ("orange", "blue", "purple"), ("meadow",)),
    "car": Thing(
        vehicles.car, _G, 0.2, 1.85, ("red", "yellow", "blue"), ("city", "desert", "hills")
    ),
    "train": Thing(vehicles.train, _G, 0.2, 2.5, ("red", "green", "black"), ("mountains", "hills")),
    "cat": Thing(
        animals.cat, _G, 0.36, 0.9, ("black", "orange", "gray", "white"), ("meadow", "hills")
    ),
    "dog": Thing(
        animals.dog, _G, 0.36, 0.9, ("brown", "gold", "white"), ("meadow", "hills", "beach")
    ),
    "rabbit": Thing(
        animals.rabbit, _G, 0.26, 0.7, ("white", "brown", "gray"), ("meadow", "forest")
    ),
    "sheep": Thing(animals.sheep, _G, 0.22, 1.4, ("white",), ("hills", "meadow")),
    "cow": Thing(animals.cow, _G, 0.28, 1.45, ("white", "brown"), ("meadow", "hills", "mountains")),
    "horse": Thing(animals.horse, _G, 0.34, 1.3, ("brown", "white", "black"), ("hills", "meadow")),
    "bird": Thing(animals.bird, _G, 0.22, 1.2, ("blue", "red", "yellow"), ("meadow", "forest")),
    "person": Thing(
        animals.person, _G, 0.32, 0.5, ("red", "yellow", "blue"), ("hills", "mountains", "beach")
    ),
    "astronaut": Thing(animals.astronaut, _G, 0.42, 0.75, ("white",), ("space",)),
    "rider": Thing(
        animals.rider, _G, 0.5, 1.3, ("white",), ("space", "desert", "hills"), reach=1.3
    ),
    "pine": Thing(_pine, _G, 0.38, 0.55, ("green",), ("hills", "mountains", "lake")),
    "tree": Thing(_tree, _G, 0.42, 0.85, ("green",), ("hills", "meadow")),
    "palm": Thing(_palm, _G, 0.46, 0.8, ("green",), ("beach", "island")),
    "cactus": Thing(_cactus, _G, 0.3, 0.7, ("green",), ("desert",)),
    "planet": Thing(_planet, _A, 0.4, 1.2, ("orange", "blue", "purple", "cyan"), ("space",)),
}
