"""The whole set-up, with stand-ins for git, Python and the hub."""

import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from sdrest.commands.setup.checkout import FORK_URL
from sdrest.commands.setup.checkpoint import INPAINT_URL, TEXT_TO_IMAGE_URL
from sdrest.commands.setup.run import STEPS
from tests.support.setup_machine import CHECKPOINT, PATIENCE, Machine

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("measured")]


class Mirror(ThreadingHTTPServer):
    """Serves the text-to-image checkpoint, its second half only when `whole` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.whole = threading.Event()
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.ckpt"


class _Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(CHECKPOINT) - start))
        self.end_headers()
        half = len(CHECKPOINT) // 2
        self.wfile.write(CHECKPOINT[start:half])
        self.server.whole.wait(PATIENCE)
        self.wfile.write(CHECKPOINT[max(start, half) :])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.whole.set()
        server.shutdown()
        thread.join()


def _only(step: str) -> list[str]:
    return [word for other in STEPS if other != step for word in ("--skip", other)]


@pytest.fixture
def machine(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capfd)


def test_a_set_up_changes_nothing_the_second_time_but_a_damaged_model_of_the_hub(
    machine: Machine,
) -> None:
    status, out, err = machine.run()
    assert (status, err.count("error ")) == (0, 0), err
    assert out.count(": done") == len(STEPS)
    assert "success All is set up." in out
    machine.assert_complete()
    before = machine.contents()
    status, out, _ = machine.run()
    assert status == 0
    assert out.count("nothing to do") == len(STEPS)
    assert machine.contents() == before
    # A damaged model is downloaded again.
    snapshot = machine.home / "hub/hub/models--openai--clip-vit-large-patch14/snapshots/1"
    (snapshot / "config.json").write_text('{"a": ')
    hiding = machine.home / "stable-diffusion/CompVis/stable-diffusion-safety-checker"
    hiding.mkdir(parents=True)
    (hiding / "config.json").write_text("{}")
    status, out, err = machine.run()
    assert status == 0, err
    assert out.count(": done") == 2
    assert (snapshot / "config.json").read_text() == "{}"
    assert not hiding.exists()
    assert hiding.with_name(f"{hiding.name}.damaged").is_dir()
    assert machine.run()[1].count("nothing to do") == len(STEPS)


def test_a_dry_run_changes_nothing(machine: Machine) -> None:
    status, out, err = machine.run("--dry-run")
    assert (status, err) == (0, "")
    assert out.count("would ") == len(STEPS)
    assert list(machine.home.iterdir()) == []


def test_a_dry_run_shows_the_size_of_each_download_and_the_room_on_the_disk(
    machine: Machine,
) -> None:
    public = (
        *("--fork-url", FORK_URL, "--text-to-image-source", TEXT_TO_IMAGE_URL),
        *("--inpaint-image-source", INPAINT_URL, "--torch-build", "cpu"),
    )
    status, out, _ = machine.run("--dry-run", *public)
    assert status == 0
    sizes = re.findall(
        r"\d/8 ([a-z-]+): .* \(([\d.]+ [GM]B)(?: on the disk)?\)$", out, re.MULTILINE
    )
    assert sizes == [
        ("repository", "40 MB"),
        ("environment", "30 MB"),
        ("packages", "300 MB"),
        ("text-to-image-model", "4.27 GB"),
        ("inpaint-image-model", "3.3 GB"),
        ("text-encoder", "1.71 GB"),
        ("safety-checker", "1.22 GB"),
    ]
    assert "info Downloads: 10.8 GB in all." in out
    assert re.search(r"(info|warning) .*home: 12.4 GB are needed, [\d.]+ [GM]B are free\.", out)


def test_a_dry_run_counts_files_and_folders_and_says_what_it_does_not_know(
    machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder/model").write_bytes(bytes(1500))
    other = ("--text-to-image-source", "http://127.0.0.1:1/other.ckpt")
    status, out, _ = machine.run("--dry-run", *other, "--text-encoder", str(tmp_path / "encoder"))
    assert status == 0
    assert re.search(r"4/8 .*other.ckpt.* \(size unknown\)$", out, re.MULTILINE)
    assert re.search(r"5/8 .* \(1.05 MB on the disk\)$", out, re.MULTILINE)
    assert re.search(r"6/8 .* \(1.5 kB on the disk\)$", out, re.MULTILINE)
    assert "info Downloads: at least " in out


def test_setup_continues_after_each_sigkill(machine: Machine) -> None:
    for point in ("clone", "venv", "install", "hub"):
        with machine.start(FAKE_PAUSE=point) as process:
            pid = int(machine.fifo.read_text())  # opens when the stand-in has done half of its work
            child = psutil.Process(pid)
            process.kill()
            process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL, point
        assert psutil.wait_procs([child], timeout=PATIENCE)[1] == [], point
    status, _, err = machine.run()
    assert status == 0, err
    machine.assert_complete()


def test_a_second_set_up_in_the_same_folder_says_so(machine: Machine) -> None:
    with machine.start(FAKE_PAUSE="clone") as process:
        try:
            machine.fifo.read_text()
            second = machine.run()
            dry = machine.run("--dry-run")
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)
    assert second[:2] == (1, "")
    assert "Another `sdrest setup` works in " in second[2]
    assert dry[0] == 0
    assert machine.run()[0] == 0
    machine.assert_complete()


def test_a_killed_download_continues_with_range(machine: Machine, mirror: Mirror) -> None:
    with machine.start(source=mirror.url) as process:
        assert process.stderr
        assert any("text-to-image.ckpt  50%" in line for line in process.stderr)
        process.kill()
        process.communicate(timeout=PATIENCE)
    mirror.whole.set()
    status, _, err = machine.run(source=mirror.url)
    assert status == 0, err
    first, second = mirror.ranges
    assert first is None
    start = int(str(second).removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= len(CHECKPOINT) // 2  # what had come by the kill, as far as it was written
    machine.assert_complete()


def test_what_fails_stops_only_what_needs_it(machine: Machine) -> None:
    status, out, err = machine.run("--fork-url", str(machine.home / "nowhere"))
    assert status == 1
    assert out.count(": done") == 3  # both checkpoints, the certificate
    assert "error Not complete: 5 steps are missing." in err
    assert "warning packages waits for: environment." in err


def test_steps_can_be_left_out(machine: Machine) -> None:
    status, out, _ = machine.run(*_only("certificate"))
    assert status == 0
    assert "1/1 certificate: done" in out


def test_folders_take_the_place_of_the_hub(machine: Machine, tmp_path: Path) -> None:
    models = tmp_path / "hub"
    models.mkdir()
    for name in ("config.json", "vocab.json", "merges.txt", "preprocessor_config.json"):
        (models / name).write_text("{}")
    (models / "model.safetensors").write_text("weights")
    status, _, err = machine.run("--text-encoder", str(models), "--safety-checker", str(models))
    assert status == 0, err
    root = machine.home / "stable-diffusion"
    assert (root / "openai/clip-vit-large-patch14/model.safetensors").is_file()
    assert (root / "CompVis/stable-diffusion-safety-checker/model.safetensors").is_file()
    assert not (machine.home / "hub").exists()


@pytest.mark.parametrize(
    ("step", "options", "text"),
    [
        (5, ["--text-encoder", "nowhere"], "does not hold openai/clip-vit-large-patch14"),
        (1, ["--with-python", "sh"], "sh (--with-python) is not Python 3.11 or 3.10 with venv."),
        (1, ["--python", "sh"], "(--python) has no working pip."),
        (3, ["--text-to-image-model", "."], "is a folder. Give --text-to-image-model the path"),
        (3, ["--text-to-image-source", "nowhere"], "Cannot copy nowhere: No such file"),
        (3, ["--text-to-image-sha256", "00"], "its SHA-256 is"),
        (0, ["--repository", ".."], "is not a checkout of the fork"),
        (7, ["--cert", "other.pem"], "There is no file other.pem (--cert)."),
    ],
)
def test_a_wrong_option_is_one_line(
    machine: Machine, step: int, options: list[str], text: str
) -> None:
    status, _, err = machine.run(*_only(STEPS[step]), *options)
    assert status == 1
    assert text in err
    assert "Traceback" not in err
