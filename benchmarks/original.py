"""Installs the original from npm."""

import shutil
import subprocess
from pathlib import Path

PACKAGE = "stable-diffusion-rest-api@0.0.4"


class MissingToolError(Exception):
    """Something that the benchmark needs is not installed; the message says what to do."""


def node() -> str:
    """Return the program that runs the original."""
    return _tool("node")


def node_version() -> str:
    """Return that program's version, e.g. `v20.20.2`."""
    done = subprocess.run([node(), "--version"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def install(folder: Path) -> Path:
    """Install the original into `folder`, unless it is there, and return its script."""
    npm = _tool("npm")
    program = folder / "node_modules" / "stable-diffusion-rest-api" / "lib" / "cli.js"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise MissingToolError(f"npm could not install {PACKAGE}:\n{done.stderr.strip()}")
    return program


def _tool(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise MissingToolError(
            f"There is no {name}: the benchmark runs the original beside sdrest, which needs "
            "Node.js 16 or later with npm (https://nodejs.org). Install it, or measure sdrest "
            "alone with --only sdrest."
        )
    return path
