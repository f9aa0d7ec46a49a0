"""A progress bar: one line drawn again and again on a terminal, else a plain line now and then."""

import time
from types import TracebackType
from typing import Self

from sdrest.commands.lines import Level, Line
from sdrest.commands.terminal import Terminal

_WIDTH = 24
_LONGEST_TEXT = 40
_INTERVAL = 0.1
"""Seconds between two drawings of a bar."""

_PLAIN_STEP = 25
"""Per cent between two plain lines."""


class Bar:
    """The progress of one thing on stderr; leave the context when it is over."""

    def __init__(self, terminal: Terminal, title: str) -> None:
        self._terminal = terminal
        self._title = title
        self._drawn_at = 0.0
        self._told = -1
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self._terminal.draw("\n")

    def show(self, fraction: float, text: str = "") -> None:
        """Show that `fraction` (0 to 1) is done; `text` says more."""
        if self._terminal.draws:
            self._draw(fraction, text)
            return
        step = int(fraction * 100) // _PLAIN_STEP
        if step > self._told:
            self._told = step
            line = Line.of(Level.INFO, f"{self._title} {fraction:4.0%} {text}".rstrip())
            self._terminal.complain(line)

    def _draw(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if self._open and fraction < 1 and now - self._drawn_at < _INTERVAL:
            return
        self._open, self._drawn_at = True, now
        self._terminal.draw(f"\r{drawing(self._title, fraction, text)}\x1b[K")


def drawing(title: str, fraction: float, text: str) -> str:
    """Return a bar as text, e.g. `Image 1/3  50% ████████████             `."""
    done = round(fraction * _WIDTH)
    bar = "█" * done + "░" * (_WIDTH - done)
    return f"{title} {fraction:4.0%} {bar} {text[:_LONGEST_TEXT]}".rstrip()


def size(count: float) -> str:
    """Return a number of bytes as text, e.g. `4.3 GB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004 (the step between units)
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
