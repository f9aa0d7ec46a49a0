"""Small real disks that tests fill, and limits of this process."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(folder: Path, *, size: int) -> Iterator[Path]:
    """Mount a memory disk of `size` bytes on a new folder; skip the test where that is refused."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("A small disk cannot be mounted here: that takes Linux and root.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until not one byte more fits, also of what is freed meanwhile; return it."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        is_first = True
        while is_first or os.statvfs(disk).f_bavail:
            is_first = False
            for block in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * block)
    return ballast


@contextlib.contextmanager
def limited(kind: int, value: int) -> Iterator[None]:
    """Lower a limit of this process, in which the server runs as well."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)
