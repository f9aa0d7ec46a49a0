"""A repository's script as a person runs it: in its own Python, without a server."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import uploads
from benchmarks.client import LoadError
from sdrest import pictures
from sdrest.engine.base import Task
from sdrest.engine.local.invocation import Invocation, environment, plan
from sdrest.engine.local.repository import Repository
from sdrest.engine.runner import main
from sdrest.job_types import JobType
from sdrest.params import validate

_SECONDS = 1800

_SEEDED = """
import contextlib, importlib, os, random, runpy, sys
seed = int(sys.argv[1])
del sys.argv[:2]
sys.path[0] = os.path.dirname(sys.argv[0])
random.seed(seed)
with contextlib.suppress(ImportError):
    importlib.import_module("numpy").random.seed(seed)
with contextlib.suppress(ImportError):
    importlib.import_module("torch").manual_seed(seed)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script that takes no seed after the random generators are seeded."""


class ScriptFailedError(LoadError):
    """The script ended with an exit code."""


@dataclass(frozen=True, slots=True)
class Call:
    """How to call a script, and the files that it writes."""

    command: Sequence[str]
    cwd: Path
    images: Sequence[Path]
    task: Task

    def answered(self) -> list[bytes]:
        """Return the PNGs that a job answers with, when the script has ended."""
        return [answered(path, self.task) for path in self.images]


@dataclass(slots=True)
class Bare:
    """Runs scripts with the arguments that sdrest gives them; what they need lies in `folder`."""

    repository: Repository
    folder: Path
    environment: dict[str, str] = field(init=False)
    _precision: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = environment(os.environ, self.repository)
        self._precision = () if self._has_accelerator() else ("--precision", "full")

    def run(
        self, job_type: JobType, values: Mapping[str, Any], size: uploads.Size = uploads.SIZE
    ) -> tuple[float, list[bytes]]:
        """Return a script's wall time in seconds, and the PNGs that a server should answer with.

        `values` are the fields of a request with a seed; uploads have `size`. Raises
        `ScriptFailedError`.
        """
        call = self.prepare(job_type, values, size)
        start = time.monotonic()
        done = subprocess.run(
            call.command,
            check=False,
            capture_output=True,
            cwd=call.cwd,
            env=self.environment,
            timeout=_SECONDS,
        )
        seconds = time.monotonic() - start
        if done.returncode:
            words = done.stderr.decode(errors="replace")[-2000:]
            raise ScriptFailedError(f"{call.command[1]} failed: {words}")
        return seconds, call.answered()

    def prepare(self, job_type: JobType, values: Mapping[str, Any], size: uploads.Size) -> "Call":
        """Lay out what a script needs, and return how to call it."""
        task = self._task(job_type, values, size)
        invocation = plan(task, self.repository)
        _lay_out(task, invocation)
        program = [str(invocation.script)]
        if invocation.seed is not None:
            program = ["-c", _SEEDED, str(invocation.seed), *program]
        command = [str(self.repository.python), *program, *invocation.arguments]
        if invocation.takes_precision:
            command += self._precision
        return Call(command, invocation.cwd, invocation.images, task)

    def _task(self, job_type: JobType, values: Mapping[str, Any], size: uploads.Size) -> Task:
        workdir = Path(tempfile.mkdtemp(dir=self.folder))
        sent: dict[str, Any] = uploads.write(job_type, workdir, size)
        return Task(
            id=workdir.name,
            params=validate(job_type, values),
            seed=int(values["seed"]),
            workdir=workdir,
            **sent,
        )

    def _has_accelerator(self) -> bool:
        code = f"import runpy; print(runpy.run_path({main.__file__!r})['has_accelerator']())"
        done = subprocess.run(
            [str(self.repository.python), "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=self.environment,
        )
        return done.stdout.strip() == "True"


def _lay_out(task: Task, invocation: Invocation) -> None:
    if invocation.inputs and task.image:
        invocation.inputs.mkdir(parents=True)
        pictures.script_input(task.image, task.mask, invocation.inputs)
    for place, target in invocation.links.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def answered(path: Path, task: Task) -> bytes:
    """Return the PNG that a job answers with: what is outside of a mask stays as it was sent."""
    if task.image and task.mask:
        pictures.restore_outside(path, task.image, task.mask, path)
    return path.read_bytes()
