"""Write lines to stdout and stderr without ever blocking the caller.

A closed or full pipe or a stopped terminal costs log lines only: a thread for each stream writes
from a bounded backlog.
"""

import logging
import os
import select
import threading
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from sdrest.commands.log_lines import CLEAR_VIEWPORT, Level, LogLine

_BACKLOG = 10_000
"""Lines that may wait for a slow reader; more are dropped."""

_GATHER = 0.01
"""Seconds between two writes to a pipe; one write takes all lines that wait."""

_LAST_WORDS = 1.0
"""Seconds to wait for a slow reader at the end of the program."""

_COLUMNS = 80
_IGNORED_LOGS = frozenset({("asyncio", "SSL connection is closed")})
"""Logger and message: asyncio logs this for each write to a disconnected client."""

_LEVELS = ((logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARNING))


def open_missing_streams() -> None:
    """Open the null device in place of a closed stdin, stdout or stderr.

    Otherwise the next opened file would take its number and receive log lines.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 (stderr)
        os.set_inheritable(descriptor, True)  # for the scripts, too
    os.close(descriptor)


class Stream:
    """Writes text to a file descriptor in UTF-8, whatever the locale, without blocking."""

    def __init__(self, descriptor: int) -> None:
        self.is_terminal = os.isatty(descriptor)
        self._descriptor = descriptor
        self._waiting: deque[str] = deque()
        self._dropped = 0
        self._closing = False
        self._writing = False
        self._idle = False
        self._hurrying = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Queue whole lines; drop them if the backlog is full."""
        with self._changed:
            if len(self._waiting) >= _BACKLOG:
                self._dropped += 1
                return
            if self._dropped:
                note = LogLine.of(Level.WARNING, f"{self._dropped} lines were not written in time.")
                self._waiting.append(note.render(colours=False))
                self._dropped = 0
            self._waiting.append(text)
            if self._thread is None:
                name = f"stream-{self._descriptor}"
                self._thread = threading.Thread(target=self._write_all, name=name, daemon=True)
                self._thread.start()
            if self._idle:
                self._changed.notify()

    def flush(self) -> None:
        """Wait until the backlog is written, for a second at most."""
        with self._changed:
            self._hurrying = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._waiting or self._writing), _LAST_WORDS)
            self._hurrying = False

    def close(self) -> None:
        """Wait until the backlog is written, for a second at most, and stop."""
        with self._changed:
            self._closing = self._hurrying = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(_LAST_WORDS)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._idle = True
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._idle = False
                if not self._waiting:
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
                self._writing = True
            self._write(_encoded(text))
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                if not self.is_terminal:  # on a terminal, both streams' lines keep their order
                    self._changed.wait_for(lambda: self._hurrying, _GATHER)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another program made the shared terminal non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # the reader has gone
                return


def _encoded(text: str) -> bytes:
    """Encode as UTF-8; invalid bytes of paths stay as they are."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


class Terminal:
    """Writes log lines: results to stdout, problems to stderr."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._out = Stream(1)
        self._err = Stream(2)
        self._capable = environment.get("TERM") != "dumb"
        self._colours = self._capable and not environment.get("NO_COLOR")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()
        self._err.close()

    def print(self, text: str) -> None:
        """Write text to stdout as it is."""
        self._out.write(text)

    def say(self, line: LogLine) -> None:
        """Write a line to stdout."""
        self._out.write(line.render(colours=self._colours and self._out.is_terminal))

    def log(self, line: LogLine) -> None:
        """Write a line: a warning to stderr, any other to stdout."""
        (self.complain if line.level is Level.WARNING else self.say)(line)

    def complain(self, line: LogLine, *, more: str = "") -> None:
        """Write a line to stderr, followed by whole lines that explain it."""
        colours = self._colours and self._err.is_terminal
        self._err.write(line.render(colours=colours) + more)

    @property
    def is_watched(self) -> bool:
        """Whether stdout is a terminal, read by a person and not by a program."""
        return self._out.is_terminal

    @property
    def draws(self) -> bool:
        """Whether stderr is a terminal that can redraw a line."""
        return self._capable and self._err.is_terminal

    @property
    def columns(self) -> int:
        """Width of stderr's terminal in characters; 80 if unknown."""
        try:
            return os.get_terminal_size(2).columns or _COLUMNS
        except OSError:
            return _COLUMNS

    def draw(self, text: str) -> None:
        """Write text to stderr as it is, e.g. a progress bar."""
        self._err.write(text)

    def flush(self) -> None:
        """Wait until the backlogs are written, before another program writes to the terminal."""
        self._out.flush()
        self._err.flush()

    def clear(self) -> None:
        """Clear the visible part of the terminal, not its scrollback."""
        if self._capable and self._out.is_terminal:
            self._out.write(CLEAR_VIEWPORT)


class LogHandler(logging.Handler):
    """Writes Python's log records to stderr as log lines, with tracebacks."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it only says that a client has disconnected."""
        if (record.name, record.msg) in _IGNORED_LOGS:
            return
        worst = next((level for least, level in _LEVELS if record.levelno >= least), Level.INFO)
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        line = LogLine.of(worst, f"{record.name}: {record.getMessage()}")
        self._terminal.complain(line, more=f"{trace}\n" if trace else "")
