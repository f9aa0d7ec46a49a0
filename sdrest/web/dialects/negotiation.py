"""Which of two media types a client prefers, decided as express (npm's `negotiator`) does. Pure."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MEDIA_RANGE = re.compile(r"\s*([^\s/;]+)/([^;\s]+)\s*(?:;(.*))?", re.DOTALL)
_NUMBER = re.compile(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A media range of an Accept header at `place`."""

    type: str
    subtype: str
    quality: float
    plain: bool
    place: int

    def specificity(self, type_: str, subtype: str) -> int | None:
        """How exactly this range means a type; None: not at all."""
        if self.type not in {type_, "*"} or self.subtype not in {subtype, "*"} or not self.plain:
            return None
        return 4 * (self.type == type_) + 2 * (self.subtype == subtype)


def preferred(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """Return the offered media type (`text/html`) that a client likes best; None: it takes none."""
    if not accept or accept == "*/*":
        return offered[0]
    accepted = list(_parse(accept))
    best: tuple[tuple[float, int, int], str] | None = None
    for media_type in offered:
        rank = _rank(media_type, accepted)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, media_type
    return None if best is None else best[1]


def _rank(media_type: str, accepted: list[_Accepted]) -> tuple[float, int, int] | None:
    """Return (quality, specificity, place from the end) of the range that fits best."""
    type_, _, subtype = media_type.partition("/")
    found: tuple[int, float, int] = (0, 0, -1)
    for item in accepted:
        specificity = item.specificity(type_, subtype)
        if specificity is not None:
            found = max(found, (specificity, item.quality, item.place))
    specificity, quality, place = found
    return (quality, specificity, -place) if quality > 0 else None


def _parse(accept: str) -> Iterator[_Accepted]:
    for place, item in enumerate(accept.split(",")):
        match = _MEDIA_RANGE.fullmatch(item.strip())
        if match:
            quality, plain = _parameters(match[3] or "")
            yield _Accepted(match[1].lower(), match[2].lower(), quality, plain, place)


def _parameters(text: str) -> tuple[float, bool]:
    """Return the quality, and whether no other parameter comes before it."""
    plain = True
    for item in filter(None, text.split(";")):
        name, _, value = item.strip().partition("=")
        if name.lower() == "q":
            number = _NUMBER.match(value.strip('"'))
            return (float(number[1]) if number else math.nan), plain
        plain = False
    return 1, plain
