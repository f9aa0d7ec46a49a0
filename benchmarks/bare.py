"""A repository's script as a person runs it: in its own Python, without a server."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.client import LoadError
from sdrest import pictures
from sdrest.engine import host
from sdrest.engine.base import Task
from sdrest.engine.repository import Repository
from sdrest.engine.scripts import Invocation, environment, plan

_SECONDS = 1800


@dataclass(slots=True)
class Bare:
    """Runs scripts with the arguments that sdrest gives them."""

    repository: Repository
    _environment: dict[str, str] = field(init=False)
    _precision: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._environment = environment(os.environ, self.repository)
        self._precision = () if self._has_accelerator() else ("--precision", "full")

    def run(self, task: Task) -> tuple[float, list[bytes] | None]:
        """Return the script's wall time in seconds, and its PNGs where it takes a seed."""
        invocation = plan(task, self.repository)
        _lay_out(task, invocation)
        command = [self._python, str(invocation.script), *invocation.arguments]
        if invocation.takes_precision:
            command += self._precision
        start = time.monotonic()
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd=invocation.cwd,
            env=self._environment,
            timeout=_SECONDS,
        )
        seconds = time.monotonic() - start
        if done.returncode:
            raise LoadError(f"{invocation.script.name} failed: {done.stderr.decode()[-2000:]}")
        images = [path.read_bytes() for path in invocation.images]
        return seconds, images if invocation.seed is None else None

    @property
    def _python(self) -> str:
        return str(self.repository.python)

    def _has_accelerator(self) -> bool:
        folder = str(Path(host.__file__).parent)
        code = (
            f"import sys; sys.path.append({folder!r}); import host; print(host.has_accelerator())"
        )
        command = [self._python, "-c", code]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=self._environment
        )
        return done.stdout.strip() == "True"


def _lay_out(task: Task, invocation: Invocation) -> None:
    if invocation.inputs and task.image:
        invocation.inputs.mkdir(parents=True)
        pictures.script_input(task.image, task.mask, invocation.inputs)
    for place, target in invocation.links.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
