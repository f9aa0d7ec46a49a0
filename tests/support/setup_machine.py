"""A machine for `sdrest setup`: a home folder, with stand-ins for git, Python and the hub."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sdrest.engine.local.repository import locate, problems
from sdrest.settings import Settings
from tests.support.in_process import run_here
from tests.support.paths import FAKES
from tests.support.server import environment

PATIENCE = 60
MACHINE = FAKES / "machine.py"
CHECKPOINT = b"\x80\x02" + bytes(range(256)) * 4096


class Machine:
    """A home folder with stand-ins on its PATH, and a fork and models to set up from."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.home = folder / "home"
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self.home.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        program = f"#!{sys.executable} -IS\n{MACHINE.read_text()}"
        for name in ("git", "python3.11"):
            (self.bin / name).write_text(program)
            (self.bin / name).chmod(0o755)
        self.fork = _fork(folder / "fork")
        self.archive = folder / "inpainting_big.zip"
        with zipfile.ZipFile(self.archive, "w") as archive:
            archive.writestr("inpainting_big/last.ckpt", CHECKPOINT)
        self.model = folder / "model.ckpt"
        self.model.write_bytes(CHECKPOINT)

    def start(self, *options: str, source: str = "", **variables: str) -> subprocess.Popen[str]:
        """Start a set-up as a process of its own."""
        return subprocess.Popen(
            [*(sys.executable, "-W", "error", "-m", "sdrest"), *self._words(source, options)],
            cwd=self.home,
            env=self._environment(variables),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *options: str, source: str = "", **variables: str) -> tuple[int, str, str]:
        """Run a set-up in this process; return its status, stdout and stderr."""
        env = self._environment(variables)
        return run_here(self._capfd, self.home, env, *self._words(source, options))

    def _words(self, source: str, options: Sequence[str]) -> list[str]:
        return [
            *("setup", "--fork-url", str(self.fork)),
            *("--text-to-image-source", source or str(self.model)),
            *("--inpaint-image-source", self.archive.as_uri()),
            *options,
        ]

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return environment(
            PATH=f"{self.bin}:{os.environ['PATH']}",
            REAL_GIT=shutil.which("git") or "",
            HF_HOME=str(self.home / "hub"),
            FAKE_FIFO=str(self.fifo),
            **variables,
        )

    def settings(self) -> Settings:
        return Settings(
            repository=str(self.home / "stable-diffusion"),
            text_to_image_model=str(self.home / "models/text-to-image.ckpt"),
            inpaint_image_model=str(self.home / "models/inpaint-image.ckpt"),
        )

    def assert_complete(self) -> None:
        assert problems(locate(self.settings())) == []
        for name in ("text-to-image", "inpaint-image"):
            assert (self.home / f"models/{name}.ckpt").read_bytes() == CHECKPOINT
        left = {path.name for path in self.home.iterdir()}
        assert left == {"cert.pem", "hub", "key.pem", "models", "stable-diffusion"}
        assert len(list((self.home / "models").iterdir())) == 2

    def contents(self) -> dict[Path, tuple[int, int]]:
        stats = {path: path.stat() for path in self.home.rglob("*")}
        return {path: (found.st_mtime_ns, found.st_ino) for path, found in stats.items()}


def _fork(folder: Path) -> Path:
    for name in ("txt2img.py", "img2img.py", "inpaint.py"):
        (folder / "scripts").mkdir(parents=True, exist_ok=True)
        (folder / "scripts" / name).write_text("print()\n")
    config = folder / "models/ldm/inpainting_big/config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("model: {}\n")
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (
        ["init", "--quiet", "--initial-branch", "apple-silicon-mps-support"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "All"],
    ):
        subprocess.run([*git, *command], check=True, timeout=PATIENCE)
    return folder
