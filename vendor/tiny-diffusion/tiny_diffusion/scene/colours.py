"""Colours by name, and the light of a picture: its sky, its tint, its distance, its style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiny_diffusion.scene.canvas import Colour, bright, mix

if TYPE_CHECKING:
    from random import Random

COLOURS: dict[str, Colour] = {
    "red": (214, 40, 44),
    "orange": (245, 134, 30),
    "yellow": (250, 212, 50),
    "green": (52, 160, 76),
    "blue": (44, 98, 214),
    "purple": (128, 60, 180),
    "pink": (246, 132, 182),
    "white": (246, 246, 242),
    "black": (26, 26, 32),
    "gray": (134, 138, 146),
    "brown": (130, 84, 50),
    "cyan": (64, 200, 216),
    "gold": (232, 182, 60),
}

Sky = tuple[Colour, Colour, Colour]

SKIES: dict[str, list[Sky]] = {
    "day": [
        ((52, 128, 214), (118, 184, 238), (208, 234, 248)),
        ((38, 112, 204), (104, 186, 236), (232, 240, 228)),
        ((70, 150, 220), (140, 204, 240), (224, 242, 250)),
    ],
    "sunset": [
        ((66, 46, 116), (224, 98, 96), (255, 206, 120)),
        ((44, 62, 124), (238, 128, 84), (255, 222, 142)),
        ((92, 52, 124), (240, 120, 140), (255, 196, 154)),
        ((120, 60, 90), (244, 132, 72), (255, 214, 110)),
    ],
    "night": [
        ((6, 9, 32), (18, 28, 70), (46, 62, 116)),
        ((4, 13, 30), (12, 38, 70), (38, 80, 110)),
        ((12, 8, 36), (34, 26, 78), (74, 60, 122)),
    ],
    "storm": [
        ((40, 44, 56), (74, 80, 94), (134, 142, 152)),
        ((48, 46, 58), (90, 90, 102), (146, 146, 150)),
    ],
}
FANTASY: list[Sky] = [
    ((46, 20, 104), (172, 62, 178), (255, 168, 198)),
    ((14, 52, 106), (62, 164, 174), (222, 204, 250)),
    ((72, 14, 96), (236, 84, 136), (255, 194, 116)),
    ((30, 24, 96), (96, 84, 200), (250, 180, 220)),
]
NIGHT_FANTASY: list[Sky] = [
    ((16, 8, 48), (66, 24, 104), (150, 70, 150)),
    ((6, 22, 54), (16, 80, 100), (96, 110, 168)),
]
COLOURED: dict[str, Sky] = {
    "pink": ((204, 92, 154), (246, 152, 192), (255, 216, 224)),
    "purple": ((62, 26, 112), (132, 72, 182), (208, 162, 228)),
    "orange": ((196, 84, 32), (246, 142, 52), (255, 212, 134)),
    "green": ((20, 94, 82), (72, 172, 122), (202, 236, 184)),
    "red": ((116, 18, 32), (208, 52, 48), (248, 140, 96)),
    "yellow": ((224, 164, 44), (250, 206, 84), (255, 240, 176)),
    "blue": ((30, 92, 200), (84, 158, 232), (196, 226, 248)),
    "white": ((214, 222, 230), (232, 236, 240), (248, 248, 248)),
    "gray": ((96, 102, 112), (146, 152, 160), (198, 202, 206)),
    "black": ((6, 6, 10), (16, 16, 24), (40, 40, 54)),
    "brown": ((84, 56, 36), (150, 106, 70), (214, 176, 134)),
    "cyan": ((24, 140, 170), (80, 200, 214), (204, 244, 244)),
    "gold": ((190, 130, 30), (236, 186, 66), (255, 234, 160)),
}
_LIGHT = {"day": 1.0, "sunset": 0.84, "night": 0.42, "storm": 0.62}
_TINT: dict[str, tuple[Colour, float]] = {
    "day": ((255, 255, 255), 0.0),
    "sunset": ((255, 150, 96), 0.18),
    "night": ((34, 48, 116), 0.22),
    "storm": ((92, 98, 112), 0.22),
}


@dataclass(frozen=True, slots=True)
class Light:
    """What all parts of a picture share: the sky's colours, the time and the strength of light."""

    time: str
    sky: Sky
    fantasy: bool

    @property
    def level(self) -> float:
        """How bright things are, 1 by day."""
        return _LIGHT[self.time]

    @property
    def dark(self) -> bool:
        """Whether windows are lit."""
        return self.time in {"night", "sunset"}

    def land(self, colour: Colour, distance: float = 0.0) -> Colour:
        """Give the look of a landscape's part: lit, tinted, faded into the sky by distance."""
        tint, amount = _TINT[self.time]
        lit = mix(bright(colour, self.level), tint, amount)
        if self.fantasy:
            lit = mix(lit, self.sky[1], 0.26)
        return mix(lit, self.sky[2], distance)

    def thing(self, colour: Colour) -> Colour:
        """Give the look of an object, which keeps its own colour more than the landscape does."""
        tint, amount = _TINT[self.time]
        return mix(bright(colour, max(0.66, self.level)), tint, amount * 0.35)


def choose_light(time: str, *, fantasy: bool, sky_colour: str | None, r: Random) -> Light:
    """Choose the sky of a time and a style, or of a colour that was asked for."""
    if sky_colour is not None:
        sky = COLOURED[sky_colour]
        sky = (
            (bright(sky[0], 0.4), bright(sky[1], 0.4), bright(sky[2], 0.45))
            if time == "night"
            else sky
        )
    elif fantasy and time != "storm":
        sky = r.choice(NIGHT_FANTASY if time == "night" else FANTASY)
    else:
        sky = r.choice(SKIES[time])
    return Light(time, (jitter(sky[0], r), jitter(sky[1], r), jitter(sky[2], r)), fantasy)


def jitter(colour: Colour, r: Random, by: float = 7) -> Colour:
    """Vary a colour a little."""
    return (
        colour[0] + r.uniform(-by, by),
        colour[1] + r.uniform(-by, by),
        colour[2] + r.uniform(-by, by),
    )
