"""A world: all that one picture shares — place, time, light, horizon, style — and its parts.

A part is one layer of the picture, from back to front, of which many versions can be drawn: a
cloud here or there, this range of mountains or that. Every version is drawn in the world's light.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.colours import Light, choose_light

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiny_diffusion.prompt import Prompt
    from tiny_diffusion.scene.canvas import Canvas

WATERS = frozenset({"sea", "lake", "beach", "island"})
_BASES = (
    "space",
    "beach",
    "island",
    "sea",
    "lake",
    "desert",
    "city",
    "meadow",
    "forest",
    "hills",
    "mountains",
)
_BEHIND = ("mountains", "hills", "city", "forest")
_ANY = (
    ("mountains",) * 3
    + ("lake",) * 3
    + ("hills", "hills", "meadow", "sea", "beach", "forest", "city", "desert")
)


@dataclass(frozen=True, slots=True)
class Part:
    """One layer: `draw` paints the version that its generator decides; `versions` is how many."""

    name: str
    draw: Callable[[Canvas, Random], None]
    versions: int = 8


@dataclass(frozen=True, slots=True)
class Mirror:
    """Water that reflects what lies behind it, dimmed towards a colour (0 … 1 for each channel)."""

    horizon: float
    colour: tuple[float, float, float]
    amount: float


Layer = Part | Mirror


@dataclass(frozen=True, slots=True)
class World:
    """The rules of one picture; lengths are in units of its shorter side."""

    prompt: Prompt
    width: float
    height: float
    base: str
    back: tuple[str, ...]
    light: Light
    horizon: float
    seed: str

    @property
    def random(self) -> Random:
        """A generator for the world's own decisions, the same each time."""
        return Random(self.seed)  # noqa: S311 - reproducible drawings, nothing secret

    @property
    def depth(self) -> float:
        """How far it is from the horizon down to the bottom."""
        return self.height - self.horizon

    def has(self, sight: str) -> bool:
        """Whether the prompt asks for a sight."""
        return self.prompt.sight(sight) is not None

    @property
    def snow(self) -> bool:
        """Whether everything is covered with snow."""
        return self.has("snow") or self.has("snowfall")

    @property
    def autumn(self) -> bool:
        """Whether the leaves are red and yellow."""
        return self.has("autumn") and not self.snow


def make_world(prompt: Prompt, width: float, height: float, seed: str) -> World:
    """Decide what the prompt leaves open."""
    r = Random(seed)  # noqa: S311 - reproducible drawings, nothing secret
    base, back = _choose_place(prompt, r)
    time = prompt.time or r.choices(("day", "sunset", "night", "storm"), (52, 32, 14, 2))[0]
    sky = prompt.sight("sky")
    colour = sky.colour if sky is not None else None
    if prompt.time is None and colour is not None:
        time = "night" if colour == "black" else "day"
    if base in {"space", "plain"}:
        time = "day"
    fantasy = "fantasy" in prompt.styles
    light = choose_light(time, fantasy=fantasy, sky_colour=colour, r=r)
    low, high = (0.5, 0.62) if base in WATERS else (0.6, 0.7)
    return World(prompt, width, height, base, back, light, height * r.uniform(low, high), seed)


def _choose_place(prompt: Prompt, r: Random) -> tuple[str, tuple[str, ...]]:
    names = [wish.name for wish in prompt.places]
    if not names and (prompt.shapes or prompt.background):
        return "plain", ()
    if not names:
        names = [_home(prompt, r)]
    water = any(THINGS[w.name].realm is Realm.WATER for w in prompt.things)
    if water and not WATERS & set(names) and "space" not in names:
        names.append(r.choice(("lake", "sea") if not set(names) & set(_BEHIND) else ("lake",)))
    base = next(b for b in _BASES if b in names)
    back = tuple(b for b in _BEHIND if b in names and b != base)
    if back or base in {"space", "mountains"}:
        return base, back
    likely = {
        "lake": ("mountains", "mountains", "hills", "forest"),
        "meadow": ("mountains", "hills", "hills", ""),
        "forest": ("mountains", "", ""),
        "hills": ("mountains", "", ""),
        "sea": ("", "", "", "mountains"),
    }.get(base, ("",))
    choice = r.choice(likely)
    return base, (choice,) if choice else ()


def _home(prompt: Prompt, r: Random) -> str:
    """Give a place where what was asked for is at home."""
    for wish in prompt.things:
        if wish.name in THINGS:
            return r.choice(THINGS[wish.name].homes)
    if prompt.sight("galaxy"):
        return "space"
    if prompt.sight("flowers"):
        return "meadow"
    if prompt.sight("autumn") or prompt.sight("snow"):
        return r.choice(("forest", "mountains", "hills", "lake"))
    if prompt.sight("trees"):
        return r.choice(("hills", "forest", "meadow"))
    return r.choice(_ANY)
