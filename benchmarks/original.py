"""Installs the original from npm."""

import shutil
import subprocess
from pathlib import Path

PACKAGE = "stable-diffusion-rest-api@0.0.4"


class MissingToolError(Exception):
    """Something that the benchmark needs is not installed; the message says what to do."""


def install(folder: Path) -> Path:
    """Install the original into `folder`, unless it is there, and return its program."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise MissingToolError(
            "The benchmark runs the original beside sdrest, which needs Node.js 16 or later with "
            "npm (https://nodejs.org). Install it, or measure sdrest alone with --only sdrest."
        )
    program = folder / "node_modules" / "stable-diffusion-rest-api" / "lib" / "cli.js"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise MissingToolError(f"npm could not install {PACKAGE}:\n{done.stderr.strip()}")
    return program
