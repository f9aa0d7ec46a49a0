"""`python -m benchmarks.cluster_scale`: what a front costs with very many workers.

The workers are simulated, some tens in each process; the front is the real one, and only its own
processor time, memory and open files are counted. `--dry` prints the results only.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import document, jobs, report
from benchmarks.client import LoadError
from benchmarks.cluster import await_all, await_capacity, free_port
from benchmarks.servers import SDREST, Scene, Server, end_on_signals, running, sdrest_program
from benchmarks.standin import repository

_EACH = 50
"""Workers in one process."""

_IDLE_SECONDS = 10.0
_BARS, _SECONDS = 50, 20.0
"""Bars of a job, and how long it takes."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a front with so many workers took.

    `idle` is the part of a core without jobs; `event` the milliseconds of processor time for each
    bar while all work; `share` the part of a core meanwhile. `memory` is in bytes.
    """

    workers: int
    idle: float
    event: float
    share: float
    memory: int
    files: int


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_scale", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            results = [_measure(scene, count) for count in options.workers]
    except LoadError as error:
        document.log(str(error))
        return 1
    text = f"{document.heading()}\n\n{render(results)}"
    document.publish("cluster-scale", text, dry=options.dry)
    return 0


def render(results: Sequence[Measured]) -> str:
    """Return the table of the results."""
    head = ("Workers", "core, idle", "core, all work", "ms of CPU a bar", "memory", "open files")
    return report.table(
        head,
        [
            (
                str(one.workers),
                f"{one.idle:.3f}",
                f"{one.share:.3f}",
                f"{one.event:.3f}",
                f"{one.memory / 2**20:.0f} MiB",
                str(one.files),
            )
            for one in results
        ],
    )


def _measure(scene: Scene, count: int) -> Measured:
    address = f"tcp://127.0.0.1:{free_port()}"
    program = sdrest_program("--cluster", address, "--concurrency", "0")
    output = scene.folder / f"output-{count}"
    with running(SDREST, scene, program, output=output) as server, contextlib.ExitStack() as stack:
        for number in range(0, count, _EACH):
            each = min(_EACH, count - number)
            stack.enter_context(_workers(scene.folder, address, each, f"{count}-{number}"))
        await_capacity(server, count)
        idle = _share(server, _IDLE_SECONDS)
        cpu, start = server.cpu, time.monotonic()
        for number in range(count):
            jobs.submit(server.port, jobs.request(f"bars {_BARS} {_SECONDS} {number}"))
        await_all(server)
        used, seconds = server.cpu - cpu, time.monotonic() - start
        document.log(f"{count} workers: idle {idle:.3f}, {used:.1f} s of CPU in {seconds:.1f} s")
        return Measured(
            count,
            idle,
            1000 * used / (count * _BARS),
            used / seconds,
            server.process.memory_info().rss,
            server.process.num_fds(),
        )


def _share(server: Server, seconds: float) -> float:
    """Return the part of a core that the server uses for a while."""
    cpu, start = server.cpu, time.monotonic()
    time.sleep(seconds)
    return (server.cpu - cpu) / (time.monotonic() - start)


@contextlib.contextmanager
def _workers(folder: Path, address: str, count: int, name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.many_workers", address, str(count), name]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder / name)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
