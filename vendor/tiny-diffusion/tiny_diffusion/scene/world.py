"""A world: all that one picture shares — place, time, light, horizon, style — and its parts.

A part is one layer of the picture, from back to front, of which many versions can be drawn: a
cloud here or there, this range of mountains or that. Every version is drawn in the world's light.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from PIL import Image, ImageStat

from tiny_diffusion.scene.catalogue import THINGS, Realm
from tiny_diffusion.scene.colours import COLOURS, Light, choose_light
from tiny_diffusion.scene.palette import without

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiny_diffusion.prompt import Prompt
    from tiny_diffusion.scene.canvas import Canvas, Colour

DARK = 70
"""The mean brightness, of 255, below which a picture shows the night."""
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
class Frame:
    """A picture, and the part of it to draw in: left, top, right and bottom as shares of it."""

    picture: Image.Image
    box: tuple[float, float, float, float]

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of the part, in units of its shorter side."""
        left, top, right, bottom = self.box
        width, height = (right - left) * self.picture.width, (bottom - top) * self.picture.height
        return width / min(width, height), height / min(width, height)

    @property
    def time(self) -> str:
        """The time of day by how bright the picture is."""
        return "night" if ImageStat.Stat(self.picture.convert("L")).mean[0] < DARK else "day"


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
    frame: Frame | None = None
    before: World | None = None
    """What the world would be without the negative prompt: pure noise chooses among these."""

    @property
    def random(self) -> Random:
        """A generator for the world's own decisions, the same each time."""
        return Random(self.seed)  # noqa: S311 - reproducible drawings, nothing secret

    @property
    def palette(self) -> Callable[[Colour], Colour] | None:
        """The function that replaces colours that are not accepted; None if all are."""
        rejected = {name for name in COLOURS if self.prompt.rejects(name)}
        return without(rejected) if rejected else None

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


def make_world(
    prompt: Prompt, width: float, height: float, seed: str, frame: Frame | None = None
) -> World:
    """Decide what the prompt leaves open; in a frame there is no place but its picture."""
    r = Random(seed)  # noqa: S311 - reproducible drawings, nothing secret
    if frame is None:
        base, back = _choose_place(prompt, r)
        time = prompt.time or _choose_time(prompt, r)
    else:
        base, back = "picture", ()
        time = (None if prompt.sight("moon") else prompt.time) or frame.time
        width, height = frame.size
    sky = prompt.sight("sky")
    colour = sky.colour if sky is not None else None
    if prompt.time is None and colour is not None:
        time = "night" if colour == "black" else "day"
    if base in {"space", "plain"}:
        time = "day"
    fantasy = "fantasy" in prompt.styles
    light = choose_light(time, fantasy=fantasy, sky_colour=colour, r=r)
    low, high = (0.5, 0.62) if base in WATERS else (0.6, 0.7)
    return World(
        prompt, width, height, base, back, light, height * r.uniform(low, high), seed, frame
    )


def _choose_time(prompt: Prompt, r: Random) -> str:
    times = {"day": 52, "sunset": 32, "night": 14, "storm": 2}
    likely = {name: 0 if prompt.rejects(name) else weight for name, weight in times.items()}
    weights = likely if any(likely.values()) else times
    return r.choices([*weights], [*weights.values()])[0]


def _choose_place(prompt: Prompt, r: Random) -> tuple[str, tuple[str, ...]]:
    names = [wish.name for wish in prompt.places]
    if not names and (prompt.shapes or prompt.background):
        return "plain", ()
    names = names or _home(prompt, r)
    if not names:
        return "plain", ()
    water = any(THINGS[w.name].realm is Realm.WATER for w in prompt.things)
    if water and not WATERS & set(names) and "space" not in names:
        waters = ("lake", "sea") if not set(names) & set(_BEHIND) else ("lake",)
        names += _pick(prompt, waters, r)
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
    choice = _pick(prompt, likely, r)
    return base, tuple(name for name in choice if name)


def _home(prompt: Prompt, r: Random) -> list[str]:
    """Give a place where what was asked for is at home, or any; none where none is accepted."""
    for wish in prompt.things:
        if wish.name in THINGS:
            return _pick(prompt, THINGS[wish.name].homes, r) or _pick(prompt, _ANY, r)
    for sight, place in (("galaxy", "space"), ("flowers", "meadow")):
        if prompt.sight(sight) and not prompt.rejects(place):
            return [place]
    homes: Sequence[str] = _ANY
    if prompt.sight("autumn") or prompt.sight("snow"):
        homes = ("forest", "mountains", "hills", "lake")
    elif prompt.sight("trees"):
        homes = ("hills", "forest", "meadow")
    return _pick(prompt, homes, r) or _pick(prompt, _ANY, r)


def _pick(prompt: Prompt, names: Sequence[str], r: Random) -> list[str]:
    """Give one of the names that are accepted, or none."""
    chosen = r.randrange(len(names))
    usable = [name for name in names if not prompt.rejects(name)]
    if not usable:
        return []
    return [names[chosen] if names[chosen] in usable else usable[chosen % len(usable)]]


def accepted(prompt: Prompt, colours: Sequence[str], thing: str) -> list[str]:
    """Give those of the usual colours of a thing that are accepted, or all if none is."""
    return [c for c in colours if not prompt.rejects(c, f"{c} {thing}")] or list(colours)
