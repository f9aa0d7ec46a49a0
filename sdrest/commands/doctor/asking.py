"""Ask the Python that runs the scripts, by small programs which it runs."""

import importlib.resources
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdrest.engine.local.invocation import environment
from sdrest.engine.local.repository import Repository

PROBE_SECONDS = 120.0


def ask(
    repository: Repository, name: str, *arguments: str, seconds: float = PROBE_SECONDS
) -> dict[str, Any] | str:
    """Run a program of this folder in the repository's Python; return its JSON or an error."""
    with importlib.resources.as_file(
        importlib.resources.files("sdrest.commands.doctor") / name
    ) as program:
        return _ask(
            [str(repository.python), str(program), *arguments],
            environment(os.environ, repository),
            repository.root,
            seconds,
        )


def accelerator(repository: Repository) -> str:
    """Return what the scripts compute on: `cuda`, `mps` or `cpu`. May take a minute."""
    if repository.bundled or repository.python is None:
        return "cpu"
    found = ask(repository, "probe_program.py", "torch")
    if isinstance(found, str):
        return "cpu"
    return next((name for name in ("cuda", "mps") if found.get(name)), "cpu")


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
