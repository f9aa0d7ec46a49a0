"""File systems that lack something: real ones on a loop device, errors by a preloaded library."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_SHIM = Path(__file__).parents[1] / "fakes" / "filesystem_shim.c"


class Shim:
    """A library that makes system calls fail below a folder: see `filesystem_shim.c`."""

    def __init__(self, library: Path) -> None:
        self._library = library

    def environment(self, root: Path, faults: str) -> dict[str, str]:
        """Return what a process needs to see `faults` below `root`."""
        return {"LD_PRELOAD": str(self._library), "SHIM_ROOT": str(root), "SHIM_FAULTS": faults}


def build_shim(folder: Path) -> Shim:
    """Compile the library; skip the test where that is not possible."""
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("LD_PRELOAD with a library built by gcc needs Linux and gcc")
    library = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(_SHIM), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"gcc cannot build the library: {done.stderr}")
    return Shim(library)


@contextlib.contextmanager
def mounted(folder: Path, *command: str) -> Iterator[None]:
    """Mount something at a folder, which is made; skip the test where that is not possible."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() or not sys.platform.startswith("linux") or shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} on Linux needs root")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def formatted(image: Path, *command: str, size: int = 64 * 2**20) -> Iterator[str]:
    """Make a file system in a file; yield its loop device. Skips where that is not possible."""
    if os.geteuid() or any(map(_is_missing, (command[0], "losetup"))):
        pytest.skip(f"{command[0]} and losetup need root")
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run([*command, str(image)], capture_output=True, check=True)
    found = subprocess.run(
        ["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False
    )
    if found.returncode:
        pytest.skip(f"no loop device: {found.stderr}")
    device = found.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def _is_missing(program: str) -> bool:
    return shutil.which(program) is None
