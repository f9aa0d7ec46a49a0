"""Log lines with levels and colours, in the original's layout. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from typing import Self


@unique
class Colour(Enum):
    """Foreground colours by their number in ANSI."""

    RED = 31
    GREEN = 32
    YELLOW = 33
    BLUE = 34
    GRAY = 90


@unique
class Level(StrEnum):
    """The first word of a line."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"

    @property
    def colour(self) -> Colour:
        """The word's colour."""
        return _LEVEL_COLOURS[self]


_LEVEL_COLOURS = {
    Level.INFO: Colour.BLUE,
    Level.SUCCESS: Colour.GREEN,
    Level.WARNING: Colour.YELLOW,
    Level.ERROR: Colour.RED,
}

CLEAR_VIEWPORT = "\x1b[1;1H\x1b[0J"
"""Puts the cursor into the first column of the first row and clears what follows."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one colour."""

    text: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: its level and its text in pieces."""

    level: Level
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, level: Level, *pieces: str | Span) -> Self:
        """Join pieces to a line, without spaces between them."""
        return cls(level, tuple(p if isinstance(p, Span) else Span(p) for p in pieces))

    def render(self, *, colours: bool) -> str:
        """Return the line with its newline, free of control characters."""
        return "".join(self._pieces(colours=colours)) + "\n"

    def _pieces(self, *, colours: bool) -> Iterator[str]:
        for span in (Span(self.level, self.level.colour), Span(" "), *self.spans):
            text = _printable(span.text)
            paint = colours and span.colour
            yield f"\x1b[{paint.value}m{text}\x1b[39m" if paint else text


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in readable(text))


def readable(text: str) -> str:
    r"""Write bytes that are not UTF-8 (surrogates, in paths) as `\xfc`."""
    return _UNDECODED.sub(lambda found: rf"\x{ord(found[0]) - 0xDC00:x}", text)


_UNDECODED = re.compile("[\udc80-\udcff]")


def serving(url: str) -> LogLine:
    """Return the line that says where the server listens; scripts wait for it."""
    return LogLine.of(Level.SUCCESS, "Serving on ", Span(url, Colour.YELLOW))
