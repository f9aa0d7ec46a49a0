"""The terminal: lines on stdout and stderr that never hold up or end the server.

A reader that went away, a full pipe or a stopped terminal costs log lines and nothing else: each
stream is written by a thread of its own from a bounded backlog.
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
"""Lines that wait for a slow reader; further ones are dropped."""

_GATHER = 0.01
"""Seconds between two writes of a stream: what comes meanwhile is written at once."""

_LAST_WORDS = 1.0
"""Seconds that a slow reader has for the last lines when the program ends."""

_COLUMNS = 80
_NO_NEWS = frozenset({("asyncio", "SSL connection is closed")})
"""What is said of each piece that is still written to a client that has left."""

_LEVELS = ((logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARNING))


def open_missing_streams() -> None:
    """Open the null device in place of stdin, stdout and stderr where they are closed.

    Otherwise the next file opened would take their numbers, and log lines would go into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 (stderr)
        os.set_inheritable(descriptor, True)  # for the scripts, too
    os.close(descriptor)


class Stream:
    """A file descriptor that takes text in UTF-8, whatever the locale. Calls return at once.

    `is_terminal` tells whether a person may look at it.
    """

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
        """Write whole lines; drop them where too many wait already."""
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
        """Wait until what was written so far is out, but not for long."""
        with self._changed:
            self._hurrying = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not (self._waiting or self._writing), _LAST_WORDS)
            self._hurrying = False

    def close(self) -> None:
        """Wait until all is written, but not for long."""
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
                if not self.is_terminal:  # there, both streams' lines shall keep their order
                    self._changed.wait_for(lambda: self._hurrying, _GATHER)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another program made the shared terminal non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # nobody reads any more
                return


def _encoded(text: str) -> bytes:
    """Return text in UTF-8; bytes of paths that are no UTF-8 come out as they are."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


class Terminal:
    """Where the program speaks: what it says on stdout, what is wrong on stderr."""

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

    def complain(self, line: LogLine, *, more: str = "") -> None:
        """Write a line to stderr, followed by whole lines that explain it."""
        colours = self._colours and self._err.is_terminal
        self._err.write(line.render(colours=colours) + more)

    @property
    def is_watched(self) -> bool:
        """Whether stdout is a terminal, so that a person and no program reads it."""
        return self._out.is_terminal

    @property
    def draws(self) -> bool:
        """Whether stderr is a terminal on which a line can be drawn again."""
        return self._capable and self._err.is_terminal

    @property
    def columns(self) -> int:
        """How wide stderr's terminal is, in characters; 80 where it does not say."""
        try:
            return os.get_terminal_size(2).columns or _COLUMNS
        except OSError:
            return _COLUMNS

    def draw(self, text: str) -> None:
        """Write text to stderr as it is, e.g. a progress bar."""
        self._err.write(text)

    def flush(self) -> None:
        """Wait until all is written, so that another program can write to the same place."""
        self._out.flush()
        self._err.flush()

    def clear(self) -> None:
        """Clear what the terminal shows; what scrolled out of sight stays."""
        if self._capable and self._out.is_terminal:
            self._out.write(CLEAR_VIEWPORT)


class LogHandler(logging.Handler):
    """Puts what libraries log on stderr, as lines of ours, with the traceback of an exception."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless it says that a client has left: they do."""
        if (record.name, record.msg) in _NO_NEWS:
            return
        worst = next((level for least, level in _LEVELS if record.levelno >= least), Level.INFO)
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        line = LogLine.of(worst, f"{record.name}: {record.getMessage()}")
        self._terminal.complain(line, more=f"{trace}\n" if trace else "")
