"""Things drawn into a part of a given picture."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from tiny_diffusion.scene import sky
from tiny_diffusion.scene.canvas import Canvas
from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.placing import slots, thing_part
from tiny_diffusion.scene.skyscape import above, weather
from tiny_diffusion.scene.terrain import base
from tiny_diffusion.scene.world import Part, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from tiny_diffusion.scene.world import Frame, Layer

FEET = (0.86, 0.94)
MIDDLE = (0.44, 0.56)
SKY, TREES, FLOWERS = 0.96, 0.66, 0.3
"""Where the horizon is for what is in the sky, for trees, and for what grows on the ground."""


def inset(world: World, frame: Frame, shapes: Iterable[Part]) -> list[Layer]:
    """Give the picture, and before it the shapes, sights and things of the prompt in its frame."""
    parts = [*_sights(world), *shapes, *_things(world)]
    return [Part("picture", partial(_paste, frame), 1), *(_framed(part, frame) for part in parts)]


def _paste(frame: Frame, c: Canvas, _: Random) -> None:
    c.image.paste(frame.picture.resize(c.image.size, Image.Resampling.BOX))


def _framed(part: Part, frame: Frame) -> Part:
    """Give a part that is drawn into the frame."""

    def draw(c: Canvas, r: Random) -> None:
        columns, rows = c.image.size
        left, right = (round(side * columns) for side in frame.box[::2])
        top, bottom = (round(side * rows) for side in frame.box[1::2])
        inner = Canvas(max(right - left, 1), max(bottom - top, 1), c.palette)
        part.draw(inner, r)
        c.image.paste(inner.image, (left, top))

    return Part(part.name, draw, part.versions)


def _sights(world: World) -> Iterator[Part]:
    r = world.random
    air = replace(world, horizon=world.height * SKY)
    asked = {wish.name for wish in world.prompt.sights}
    height = TREES if "trees" in asked else FLOWERS
    land = replace(world, base="meadow", horizon=world.height * height)
    if asked & {"sun", "moon"}:
        yield from _luminary(world, r)
        asked -= {"sun", "moon"}
    for layer in (*above(air, r), *weather(air), *base(land, r)):
        if isinstance(layer, Part) and asked & set(_sights_of(layer.name)):
            yield layer


def _luminary(world: World, r: Random) -> Iterator[Part]:
    """Give the sun or the moon, large and in the middle."""
    middle, horizon = (0.45, 0.55), world.height * 1.7
    if not world.prompt.sight("moon"):
        draw = partial(sky.sun, horizon=horizon, box=middle, zoom=2.4)
        yield Part("sun", lambda c, r: draw(c, r, replace(world.light, time="day")))
        return
    crescent = r.random() < 0.4
    draw = partial(sky.moon, light=world.light, horizon=horizon, box=middle, zoom=3.4)
    yield Part("moon", partial(draw, crescent=crescent))


def _sights_of(part: str) -> tuple[str, ...]:
    stem = part.rstrip("0123456789 ")
    return (stem, f"{stem}s", "trees" if stem == "side tree" else stem)


def _things(world: World) -> Iterator[Part]:
    for index, slot in enumerate(slots(world.prompt.things, world.width, world.random)):
        air = THINGS[slot.wish.name].realm is Realm.AIR
        low, high = MIDDLE if air else FEET
        yield thing_part(slot, world, (world.height * low, world.height * high), index)
