"""Ask the Python that runs the scripts, by small programs which it runs."""

import asyncio
import contextlib
import importlib.resources
import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sdrest.engine.local.invocation import environment
from sdrest.engine.local.repository import Repository

PROBE_SECONDS = 120.0


def ask(
    repository: Repository, name: str, *arguments: str, seconds: float = PROBE_SECONDS
) -> dict[str, Any] | str:
    """Run a program of this folder in the repository's Python; return its JSON or an error."""
    with _program(name) as program:
        return _ask(
            [str(repository.python), str(program), *arguments],
            environment(os.environ, repository),
            repository.root,
            seconds,
        )


async def accelerator(repository: Repository) -> str:
    """Return what the scripts compute on: `cuda`, `mps` or `cpu`; '' where that is unknown.

    Takes as long as importing torch does. A cancellation ends the program.
    """
    if repository.bundled:
        return "cpu"
    try:
        with _program("probe_program.py") as program:
            process = await asyncio.create_subprocess_exec(
                *(str(repository.python), program, "torch"),
                cwd=repository.root,
                env=environment(os.environ, repository),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    out, _ = await process.communicate()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        found = json.loads(out)
        return next((name for name in ("cuda", "mps") if found.get(name)), "cpu")
    except (OSError, ValueError):
        return ""


def _program(name: str) -> AbstractContextManager[Path]:
    """Give the path of a program of this folder."""
    files = importlib.resources.files("sdrest.commands.doctor")
    return importlib.resources.as_file(files / name)


def _ask(
    command: Sequence[str], variables: dict[str, str], cwd: Path, seconds: float
) -> dict[str, Any] | str:
    try:
        done = subprocess.run(  # noqa: S603 (the Python that runs jobs, too)
            command,
            cwd=cwd if cwd.is_dir() else None,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=seconds,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return f"it did not answer within {seconds:g} seconds."
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return " ".join([f"it ended with exit code {error.returncode}.", *last])
    except OSError as error:
        return f"{error.strerror}."
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else "it is not Python."
