"""Run other programs, none of which outlives this process."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_STDERR = 2

_WATCH = "import os, sys; group = int(sys.stdin.readline()); sys.stdin.read(); os.killpg(group, 9)"
"""Kills a process group when the pipe on its stdin closes, at the latest with its owner's end."""


def run(command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None) -> int:
    """Run a program with its output on stderr; return its exit code.

    If this process ends first, even by SIGKILL, the program and its children end too. Raises
    OSError if it cannot start.
    """
    with _watcher() as pipe:
        process = subprocess.Popen(  # noqa: S603 (git and the environment's own Python)
            command,
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
            env=environment,
            start_new_session=True,
        )
        try:
            os.write(pipe, f"{process.pid}\n".encode())
            return process.wait()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextlib.contextmanager
def _watcher() -> Iterator[int]:
    """Yield the pipe to a watcher; it reads the number of the group to kill."""
    watcher = subprocess.Popen(  # noqa: S603 (this very Python)
        [sys.executable, "-ISc", _WATCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to its owner only
    )
    with watcher:
        try:
            yield watcher.stdin.fileno() if watcher.stdin else -1
        finally:
            watcher.kill()  # before its pipe ends


def output_of(command: Sequence[str | Path], *, seconds: float) -> str | None:
    """Return what a program prints; None if it fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 (the environment's own Python, mkcert)
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=seconds,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
