"""A palette without some colours: what has one of them is drawn in another."""

from __future__ import annotations

from colorsys import hsv_to_rgb, rgb_to_hsv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from tiny_diffusion.scene.canvas import Colour

_HUES = {
    "red": (-16, 17), "orange": (17, 42), "gold": (38, 52), "yellow": (42, 68), "green": (68, 168),
    "cyan": (168, 196), "blue": (196, 256), "purple": (256, 292), "pink": (292, 344),
}  # fmt: skip
"""From which hue to which a colour goes, in degrees."""
_LAST = 344
_INSTEAD = {
    "red": 36, "orange": 50, "gold": 28, "yellow": 28, "green": 44, "cyan": 212, "blue": 180,
    "purple": 225, "pink": 275, "brown": 80,
}  # fmt: skip
"""The hue that takes a colour's place."""
_FAINT = 0.14
_BLACK, _WHITE = 0.22, 0.78
_DARK = 0.66


def without(names: AbstractSet[str]) -> Callable[[Colour], Colour]:
    """Return the function that replaces colours by others that are not among `names`."""

    def replaced(colour: Colour) -> Colour:
        hue, saturation, value = rgb_to_hsv(*(min(max(c, 0.0), 255.0) / 255 for c in colour))
        if value < _BLACK:
            value = 0.34 if "black" in names else value
        elif saturation < _FAINT:
            saturation, value = _grey(saturation, value, names)
        elif named := _named(hue * 360, value) & names:
            hue = _INSTEAD[min(named)]
            saturation *= 0.1 if _named(hue, value) & names else 0.75
            hue /= 360
        red, green, blue = hsv_to_rgb(hue, saturation, value)
        return red * 255, green * 255, blue * 255

    return replaced


def _grey(saturation: float, value: float, names: AbstractSet[str]) -> tuple[float, float]:
    if value > _WHITE:
        return saturation, value * 0.74 if "white" in names else value
    return 0.3 if "gray" in names else saturation, value


def _named(hue: float, value: float) -> set[str]:
    """Return the colours that have a hue (degrees)."""
    hue = hue - 360 if hue >= _LAST else hue
    named = {name for name, (low, high) in _HUES.items() if low <= hue < high}
    return named | {"brown"} if value < _DARK and 5 < hue < 42 else named
