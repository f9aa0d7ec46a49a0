"""A terminal, and what a person sees on it."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.support.server import PATIENCE, environment


def read_all(descriptor: int) -> bytes:
    """Read a terminal, or a pipe, to its end."""
    data = b""
    with contextlib.suppress(OSError):  # Linux ends a terminal's reader with an error
        while piece := os.read(descriptor, 65536):
            data += piece
    return data


class Screen:
    """A process on a terminal of its own, and what a person sees there."""

    def __init__(self, folder: Path, command: Sequence[str], *, columns: int = 80) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.columns = columns
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(TERM="xterm", NO_COLOR="1"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._data = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def until(self, text: str) -> None:
        """Read until `text` has been shown."""
        while text.encode() not in self._data:
            self._data += os.read(self._ours, 65536)

    def end(self) -> int:
        """Read to the end; return the exit status."""
        self._data += read_all(self._ours)
        return self.process.wait(PATIENCE)

    @property
    def lines(self) -> list[str]:
        """What stands on the terminal, from the first line to the cursor's."""
        lines, column = [""], 0
        for piece in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]", self._data.decode()):
            if piece == "\r":
                column = 0
            elif piece == "\x1b[K":
                lines[-1] = lines[-1][:column]
            elif piece == "\n" or column == self.columns:
                lines.append(piece.strip())
                column = len(lines[-1])
            else:
                lines[-1] = lines[-1][:column].ljust(column) + piece + lines[-1][column + 1 :]
                column += 1
        return lines
