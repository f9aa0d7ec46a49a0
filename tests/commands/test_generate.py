"""`sdrest generate` as a child process, with the fake fork."""

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from sdrest.cli import main
from tests.fakes.running import FORK, Lifeline
from tests.support.screen import read_all
from tests.support.server import environment, patient

pytestmark = pytest.mark.integration

PATIENCE = 60
COMMAND = (
    *(sys.executable, "-W", "error", "-m", "sdrest", "generate"),
    *("--repository", str(FORK), "--python", sys.executable),
)
SMALL = ("--width", "256", "--height", "256")


def generate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_paths_are_printed_and_nothing_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = generate(tmp_path, "paint", "-o", "out", "--iterations", "2", *SMALL)
    assert (done.returncode, done.stdout) == (0, f"{out}/1.png\n{out}/2.png\n"), done.stderr
    assert "info Pictures 100%" in done.stderr
    before = (out / "1.png").stat()
    again = generate(tmp_path, "paint", "-o", "out", "--seed", "random", *SMALL)
    assert again.stdout == f"{out}/3.png\n"
    assert "info Seed " in again.stderr
    assert (out / "1.png").stat() == before
    assert files(out) == ["1.png", "2.png", "3.png"]


@pytest.mark.parametrize("seed", ["-1", "false", "null", ""])
def test_a_random_seed_is_drawn_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], seed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = set()
    for _ in range(2):
        assert main([*COMMAND[5:], "paint", "--seed", seed, *SMALL]) == 0
        err = capfd.readouterr().err
        seeds |= {line for line in err.splitlines() if line.startswith("info Seed ")}
    assert len(seeds) == 2


def test_a_picture_is_repainted_where_the_mask_is_white(tmp_path: Path) -> None:
    Image.new("RGB", (100, 80), "blue").save(tmp_path / "image.webp")
    mask = Image.new("L", (100, 80), 0)
    mask.paste(255, (0, 0, 50, 80))
    mask.save(tmp_path / "mask.png")
    done = generate(tmp_path, "--image", "image.webp", "--mask", "mask.png", "-o", ".")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "1.png") as made:
        assert made.size == (100, 80)
        assert made.getpixel((10, 10)) == (255, 0, 0)
        assert made.getpixel((90, 10)) != (255, 0, 0)


def test_a_failure_is_one_line(tmp_path: Path) -> None:
    done = generate(tmp_path, "crash_before", *SMALL, "-o", "out")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("error ") == 1
    assert done.stderr.splitlines()[-1].startswith("error The script failed")
    assert files(tmp_path / "out") == []


def test_a_limit_of_time(tmp_path: Path) -> None:
    lifeline = tmp_path / "lifeline"
    lifeline.touch()
    done = generate(tmp_path, f"hang lifeline={lifeline}", *SMALL, "--job-timeout", "0.5")
    assert done.returncode == 1
    assert "error It took longer than 0.5 seconds." in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_sigint_and_sigterm_leave_no_process(tmp_path: Path, number: signal.Signals) -> None:
    lifeline = Lifeline(tmp_path / "lifeline")
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, f"hang lifeline={lifeline.path}", *SMALL, "-o", "out"),
        cwd=tmp_path,
        env=environment(),
        stderr=asyncio.subprocess.PIPE,
    )
    (pid,) = await lifeline.pids(1)
    process.send_signal(number)
    _, err = await process.communicate()
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert await lifeline.all_gone()
    lifeline.close()
    assert not psutil.pid_exists(pid)
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(
    "numbers", [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGHUP)], ids=str
)
@pytest.mark.parametrize("script_first", [True, False])
async def test_a_stop_that_signals_every_process_keeps_what_is_finished(
    tmp_path: Path, numbers: tuple[signal.Signals, ...], *, script_first: bool
) -> None:
    os.mkfifo(tmp_path / "gate")
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, f"wait_between gate={tmp_path}/gate", *SMALL, "--iterations", "2", "-o", "out"),
        cwd=tmp_path,
        env=environment(**patient(tmp_path / "patient")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == f"{tmp_path}/out/1.png\n".encode()
    (script,) = psutil.Process(process.pid).children()
    if script_first:
        script.send_signal(numbers[0])
        await asyncio.to_thread(script.wait, PATIENCE)
    for number in (signal.SIGSTOP, *numbers, signal.SIGCONT):  # so all come at once
        process.send_signal(number)
    if not script_first:
        with contextlib.suppress(psutil.NoSuchProcess):
            script.send_signal(numbers[0])
    out, err = await process.communicate()
    assert (process.returncode, out) == (130, b""), err
    assert b"Traceback" not in err
    assert b"error The script" not in err
    assert not script.is_running()
    assert files(tmp_path / "out") == ["1.png"]


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "paint", *SMALL],
        cwd=tmp_path,
        env=environment(TERM="xterm"),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        drawn = read_all(ours).decode()
    os.close(ours)
    assert process.returncode == 0, drawn
    assert "\rPictures   0% ░" in drawn
    assert "\rPictures 100% █" in drawn
    assert drawn.endswith("\r\n")


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a picture and things that are none."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "white").save("good.png")
    Path("folder").mkdir()
    Path("empty.png").touch()
    Path("locked.png").touch(mode=0)
    Path("dangling.png").symlink_to("nowhere")
    Path("loop.png").symlink_to("loop.png")
    os.mkfifo("pipe")


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("name", ["image", "mask"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("missing.png", "There is no file missing.png."),
        ("good.png/below.png", "There is no file good.png/below.png."),
        ("folder", "folder is a folder, not a picture."),
        (".", ". is a folder, not a picture."),
        ("pipe", "pipe is not a regular file, as a picture must be."),
        ("dangling.png", "There is no file dangling.png."),
        ("loop.png", "loop.png cannot be read: Too many levels of symbolic links."),
        ("x" * 300, f"{'x' * 300} cannot be read: File name too long."),
        ("locked.png", "locked.png cannot be read: Permission denied."),
        ("empty.png", "Is not a PNG, JPEG, WebP, GIF or BMP image."),
    ],
)
def test_a_picture_that_is_no_file_is_named(
    name: str, path: str, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if path == "locked.png" and os.geteuid() == 0:
        pytest.skip("root reads every file")
    given = {"image": "good.png", "mask": "good.png", name: path}
    assert main(["generate", *(f"--{name}={path}" for name, path in given.items())]) == 1
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"error {name}: {text}\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--mask", "m.png"], "--mask goes with --image, the picture that it belongs to."),
        (["x", "--strength", "1"], "--strength does not go with text-to-image."),
        (
            ["--negative-prompt", "x", "--image", "a", "--mask", "b"],
            "--negative-prompt does not go with inpaint-image.",
        ),
        ([], "PROMPT: Is required."),
        (["x", "--guidance-scale", "300"], "--guidance-scale: At most 100."),
        (["x", "--steps", "3"], "--steps: 3 steps do not work with this model."),
        (["x", "--bogus"], "No such option '--bogus'."),
        (["x", "--image", "nowhere.png"], "image: There is no file nowhere.png."),
        (["x", "--models", "nowhere"], "There is no folder nowhere (--models)."),
        (["x", "--repository", "nowhere"], "There is no folder nowhere (--repository)."),
        (["x", "--python", "nowhere"], "There is no program nowhere (--python)."),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path,
    words: list[str],
    text: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["generate", *words]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"error {text}")
    assert err.count("\n") == 1


def test_an_output_that_cannot_be(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["generate", "x", "-o", str(tmp_path / "file")]) == 1
    assert capfd.readouterr().err.startswith("error Cannot write to the output folder")


@pytest.mark.parametrize("name", ["generate", "setup", "doctor"])
def test_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"sdrest {name}" in capfd.readouterr().out
