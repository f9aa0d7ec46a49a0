import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sdrest.commands.log_lines import CLEAR_VIEWPORT, Level, LogLine
from sdrest.commands.terminal import Stream
from tests.support.screen import read_all
from tests.support.server import environment

SPEAK = """
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.terminal import Terminal
with Terminal() as terminal:
    terminal.clear()
    terminal.say(LogLine.of(Level.SUCCESS, "said \\u2588"))
    terminal.complain(LogLine.of(Level.ERROR, "wrong"), more="because\\n")
"""
PLAIN = "success said █\r\nerror wrong\r\nbecause\r\n"
COLOURED = "\x1b[32msuccess\x1b[39m said █\r\n\x1b[31merror\x1b[39m wrong\r\nbecause\r\n"


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        for descriptor in (reader, writer):
            with suppress(OSError):
                os.close(descriptor)


def on_a_terminal(**env: str) -> str:
    """Return what a program shows on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", SPEAK]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment(**env)) as process:
        os.close(theirs)
        shown = read_all(ours)
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


@pytest.mark.parametrize(
    ("env", "clears", "shown"),
    [
        ({"TERM": "xterm"}, 1, COLOURED),
        ({"TERM": "xterm", "NO_COLOR": ""}, 1, COLOURED),
        ({"TERM": "xterm", "NO_COLOR": "1"}, 1, PLAIN),
        ({"TERM": "dumb"}, 0, PLAIN),
    ],
)
def test_colours_and_clearing_on_a_terminal(env: dict[str, str], clears: int, shown: str) -> None:
    """The two streams share a terminal; which comes first is open."""
    found = on_a_terminal(**env)
    before, *after = found.split(CLEAR_VIEWPORT)
    assert len(after) == clears
    assert clears == 0 or "said" not in before
    assert sorted("".join([before, *after]).splitlines()) == sorted(shown.splitlines())


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_a_pipe_gets_plain_utf_8_in_every_locale(locale: str) -> None:
    env = environment(TERM="xterm", LC_ALL=locale, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    done = subprocess.run(
        [sys.executable, "-c", SPEAK], capture_output=True, check=True, env=env, timeout=60
    )
    assert done.stdout.decode() == "success said █\n"
    assert done.stderr.decode() == "error wrong\nbecause\n"


def test_lines_arrive_in_order() -> None:
    with pipe() as (reader, writer):
        stream = Stream(writer)
        for number in range(1000):
            stream.write(f"{number}\n")
        stream.close()
        os.close(writer)
        assert read_all(reader).decode().split() == [str(number) for number in range(1000)]


def test_a_reader_that_does_not_read_holds_nothing_up() -> None:
    with pipe() as (reader, writer):
        stream = Stream(writer)
        line = "x" * 99 + "\n"
        for _ in range(30_000):  # a pipe takes 64 KiB, the backlog 10,000 lines
            stream.write(line)
        assert read_some(reader) == line
        os.set_blocking(reader, False)
        heard = ""
        while "not written in time" not in heard:
            stream.write("more\n")
            heard = heard[-99:] + drained(reader)  # which may end within a line
        os.close(reader)  # ends the writer's thread, before a later test reuses its descriptor
        stream.close()


def read_some(descriptor: int) -> str:
    return os.read(descriptor, 100).decode()


def drained(descriptor: int) -> str:
    try:
        return os.read(descriptor, 1 << 20).decode()
    except BlockingIOError:
        return ""


def test_a_reader_that_left_is_no_error() -> None:
    with pipe() as (reader, writer):
        os.close(reader)
        stream = Stream(writer)
        stream.write("nobody\n")
        stream.write("hears\n")
        stream.close()


def test_a_non_blocking_pipe_loses_nothing() -> None:
    with pipe() as (reader, writer):
        os.set_blocking(writer, False)
        stream = Stream(writer)
        text = "y" * 300_000 + "\n"
        stream.write(text)
        received = b""
        while len(received) < len(text):
            received += os.read(reader, 65536)
        stream.close()
        assert received.decode() == text


def test_closed_streams_do_not_take_the_numbers_of_files(tmp_path: Path) -> None:
    code = (
        "import sys; from sdrest.commands.terminal import open_missing_streams as f; f();"
        "sys.exit(open(sys.argv[1], 'w').fileno() <= 2)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    shell = '"$@" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, "sh", *command], check=False, timeout=60)
    assert done.returncode == 0


def test_libraries_log_lines_of_ours() -> None:
    code = """
import logging
from sdrest.commands.terminal import LogHandler, Terminal
with Terminal() as terminal:
    logging.basicConfig(handlers=[LogHandler(terminal)])
    logging.getLogger("lib").warning("odd: %s", 1)
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("lib").exception("failed")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    lines = done.stderr.splitlines()
    assert lines[:3] == [
        "warning lib: odd: 1",
        "error lib: failed",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "ValueError: bad"


def test_nothing_said_nothing_written() -> None:
    with pipe() as (reader, writer):
        Stream(writer).close()
        os.close(writer)
        assert read_all(reader) == b""
    assert LogLine.of(Level.INFO).render(colours=False) == "info \n"
