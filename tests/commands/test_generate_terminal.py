"""`sdrest generate` on a terminal: one bar, paths on their own lines, and what Ctrl-C leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.running import FORK
from tests.support.screen import Screen
from tests.support.server import PATIENCE, environment

pytestmark = pytest.mark.integration

COMMAND = (
    *(sys.executable, "-W", "error", "-m", "sdrest", "generate"),
    *("--repository", str(FORK), "--python", sys.executable),
)
SMALL = ("--width", "256", "--height", "256")


@pytest.mark.parametrize("columns", [200, 80])
def test_a_terminal_shows_one_bar_and_each_path_on_a_line(tmp_path: Path, columns: int) -> None:
    command = [*COMMAND, "paint", "-o", "o", "--iterations", "3", *SMALL]
    with Screen(tmp_path, command, columns=columns) as screen:
        assert screen.end() == 0
    *paths, bar, rest = screen.lines
    assert paths == [f"{tmp_path}/o/{n}.png" for n in (1, 2, 3)]
    assert bar == f"Pictures 100% {'█' * 24} 3/3"
    assert rest == ""


def test_a_narrow_terminal_shows_one_bar(tmp_path: Path) -> None:
    with Screen(tmp_path, [*COMMAND, "paint", "-o", "o", *SMALL], columns=30) as screen:
        assert screen.end() == 0
    *_, bar, rest = screen.lines
    assert bar == f"Pictures 100% {'█' * 15}"
    assert "".join(screen.lines).count("Pictures") == 1
    assert rest == ""


def test_a_failure_leaves_no_bar_on_the_terminal(tmp_path: Path) -> None:
    with Screen(
        tmp_path, [*COMMAND, "crash_between", "--iterations", "2", *SMALL], columns=200
    ) as screen:
        assert screen.end() == 1
    assert screen.lines[0] == f"{tmp_path}/output/1.png"
    assert screen.lines[1].startswith("error The script failed")
    assert "Pictures" not in "".join(screen.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_was_finished(tmp_path: Path, number: signal.Signals) -> None:
    os.mkfifo(tmp_path / "gate")
    words = (f"wait_between gate={tmp_path}/gate", "--iterations", "2", *SMALL)
    with Screen(tmp_path, [*COMMAND, *words], columns=400) as screen:
        screen.until("1.png")
        screen.process.send_signal(number)
        assert screen.end() == 130
    path = f"{tmp_path}/output/1.png"
    assert screen.lines == [path, f"warning Interrupted after 1 of 2 pictures: {path}", ""]
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["1.png"]


def test_an_interrupt_without_a_terminal_keeps_stdout_to_paths(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    words = (f"wait_between gate={tmp_path}/gate", "--iterations", "2", *SMALL)
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        path = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert (path, out) == (f"{tmp_path}/output/1.png", "")
    assert err.splitlines()[-1] == f"warning Interrupted after 1 of 2 pictures: {path}"


def test_an_interrupt_before_the_first_picture_says_so(tmp_path: Path) -> None:
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    command = [*COMMAND, f"hang lifeline={lifeline}", *SMALL]
    with Screen(tmp_path, command, columns=200) as screen, lifeline.open() as pids:
        pids.readline()
        screen.process.send_signal(signal.SIGINT)
        assert screen.end() == 130
    assert screen.lines == ["warning Interrupted before a picture was finished.", ""]
