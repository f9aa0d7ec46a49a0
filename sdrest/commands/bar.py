"""Show progress: a bar that is redrawn on a terminal, else a plain line for every 25 %."""

import time
from types import TracebackType
from typing import Self

from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.terminal import Terminal

_WIDTH = 24
_LONGEST_TEXT = 40
_INTERVAL = 0.1
"""Seconds between two drawings of a bar."""

_ERASE_REST = "\x1b[K"
_ERASE = f"\r{_ERASE_REST}"
_PLAIN_STEP = 25
"""Per cent between two plain lines."""


class Bar:
    """The progress of one thing on stderr, as a context manager.

    The bar stays on the terminal at the end; an exception removes it.
    """

    def __init__(self, terminal: Terminal, title: str) -> None:
        self._terminal = terminal
        self._title = title
        self._drawn_at = 0.0
        self._last_step = -1
        self._drawn = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn:
            self._terminal.draw(_ERASE if kind else "\n")

    def print(self, text: str) -> None:
        """Write whole lines to stdout; on a terminal, above the bar."""
        if not self._drawn:
            self._terminal.print(text)
            return
        self._terminal.draw(_ERASE)
        self._terminal.flush()  # stdout and stderr have threads of their own
        self._terminal.print(text)
        self._terminal.flush()
        self._terminal.draw(self._drawn)

    def show(self, fraction: float, text: str = "") -> None:
        """Show that `fraction` (0 to 1) is done; `text` says more."""
        if self._terminal.draws:
            self._draw(fraction, text)
            return
        step = int(fraction * 100) // _PLAIN_STEP
        if step > self._last_step:
            self._last_step = step
            line = LogLine.of(Level.INFO, f"{self._title} {fraction:4.0%} {text}".rstrip())
            self._terminal.complain(line)

    def _draw(self, fraction: float, text: str) -> None:
        now = time.monotonic()
        if self._drawn and fraction < 1 and now - self._drawn_at < _INTERVAL:
            return
        # A line that reaches the last column wraps, and \r cannot return to its first row.
        shown = drawing(self._title, fraction, text)[: self._terminal.columns - 1]
        self._drawn, self._drawn_at = f"\r{shown}{_ERASE_REST}", now
        self._terminal.draw(self._drawn)


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
