"""Both servers as processes, under equal conditions."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.client import Connection, LoadError, Request
from sdrest.commands.certificate import self_signed
from sdrest.engine.runner import main

ORIGINAL = "original"
SDREST = "sdrest"

_PATIENCE = 120.0
"""Seconds that a server may take to start."""
_POLL = 0.002


@dataclass(frozen=True, slots=True)
class Scene:
    """What all servers are given: a certificate, and the flags that choose the engine."""

    folder: Path
    engine: Sequence[str]

    @property
    def certificate(self) -> list[str]:
        """The flags of the certificate, which is made at first use."""
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        if not cert.exists():
            self_signed.write(cert, key, hosts=["127.0.0.1", "localhost"])
        return ["--cert", str(cert), "--key", str(key)]


def end_on_signals() -> None:
    """Let a signal that ends this program end the servers first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def sdrest_program(*flags: str) -> list[str]:
    """Return the command of this checkout's server, with no limit that a measurement reaches."""
    return [sys.executable, "-m", "sdrest", "--max-queue", "10000000", *flags]


@dataclass(slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    process: psutil.Popen
    log: Path
    start_seconds: float
    output: Path

    @property
    def cpu(self) -> float:
        """The processor seconds that the server has used, without what it started."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Return the resident bytes of the server and all processes below it."""
        total = 0
        for process in [self.process, *self._below()]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def runners(self) -> list[psutil.Process]:
        """Return the processes that run the scripts."""
        return [child for child in self._below() if _is_runner(child)]

    def stop(self) -> None:
        """End the server and what it started, whatever it does."""
        family = [self.process, *self._below()]
        with suppress(psutil.NoSuchProcess):
            self.process.terminate()
        _, alive = psutil.wait_procs([self.process], timeout=20)
        for process in {*alive, *family[1:]}:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=20)
        self.process.wait(timeout=20)

    def _below(self) -> list[psutil.Process]:
        """Return what the server has started; nothing if it has ended."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []


@contextmanager
def running(name: str, scene: Scene, program: list[str], *, output: Path) -> Iterator[Server]:
    """Start a server, yield it once it answers, and end it."""
    port = _free_port()
    output.mkdir(parents=True, exist_ok=True)
    log = output.with_suffix(".log")
    flags = [*scene.certificate, *scene.engine, "--port", str(port), "--output", str(output)]
    with log.open("wb") as file:
        start = time.monotonic()
        process = psutil.Popen(
            [*program, *flags],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=scene.folder,
            env=_environment(),
        )
    server = Server(name, port, process, log, 0.0, output)
    try:
        _await_answer(server, start)
        yield server
    finally:
        server.stop()


def _is_runner(process: psutil.Process) -> bool:
    try:
        return main.__file__ in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


def _await_answer(server: Server, start: float) -> None:
    while True:
        try:
            with Connection(server.port) as connection:
                connection.ask(Request(f"/text-to-image/{0:032}", expect=404))
        except (OSError, LoadError):
            elapsed = time.monotonic() - start
            if server.process.poll() is not None or elapsed > _PATIENCE:
                tail = server.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise LoadError(f"{server.name} did not start:\n{tail}") from None
            time.sleep(_POLL)
        else:
            server.start_seconds = time.monotonic() - start
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Return this process's environment without what would change how a server runs."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SDREST_", "PYTHON", "NODE_", "COVERAGE_"))
    }
