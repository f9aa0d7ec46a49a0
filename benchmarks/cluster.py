"""`python -m benchmarks.cluster`: one queue over several workers, all on this machine.

The engine is a stand-in that sleeps, so that the machine's cores do not limit the workers. `--dry`
prints the results only.
"""

import argparse
import contextlib
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import document, jobs, report
from benchmarks.client import Connection, LoadError, Request
from benchmarks.servers import SDREST, Scene, Server, end_on_signals, running, sdrest_program
from benchmarks.standin import repository
from benchmarks.stats import Better, Goal

LINEAR = Goal(Better.HIGHER, 0.95)
OVERHEAD = Goal(Better.LOWER, 30, "ms")
_JOB_SECONDS = 1.0
_PATIENCE = 120.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Jobs a second with so many workers, and milliseconds of the front's processor for each."""

    workers: int
    rate: float
    cpu: float


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20, help="for each worker; default 20")
    parser.add_argument("--rounds", type=int, default=100, help="jobs of no length; default 100")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            rates = [_throughput(scene, workers, options.jobs) for workers in (1, 2, 4)]
            remote = _latencies(scene, 1, options.rounds)
            local = _latencies(scene, 0, options.rounds)
    except LoadError as error:
        document.log(str(error))
        return 1
    text = f"{document.heading()}\n\n{render(rates, remote, local)}"
    document.publish("cluster", text, dry=options.dry)
    return 0


def render(rates: Sequence[Throughput], remote: Sequence[float], local: Sequence[float]) -> str:
    """Return the table of the results; latencies are in milliseconds."""
    one = rates[0].rate
    lines = []
    for each in rates:
        part = each.rate / (each.workers * one)
        what = f"jobs of {_JOB_SECONDS:g} s, {each.workers} workers"
        figures = f"{each.rate:.3f} jobs/s; front: {each.cpu:.1f} ms of CPU a job"
        lines.append((what, figures, f"{part:.3f} of linear (goal {LINEAR})", LINEAR, part))
    over = median(remote) - median(local)
    figures = f"{median(remote):.1f} ms; on this machine {median(local):.1f} ms"
    lines.append(
        ("a job of no length, p50", figures, f"+{over:.1f} ms (goal {OVERHEAD})", OVERHEAD, over)
    )
    head = ("What", "Measured", "Compared", "")
    return report.table(
        head, [(*texts, report.verdict(goal, value)) for *texts, goal, value in lines]
    )


def _throughput(scene: Scene, workers: int, jobs_each: int) -> Throughput:
    count = workers * jobs_each
    with _front(scene, workers) as server:
        for _ in range(2 * workers):  # the runners start
            _run(server, "sleep 0.2")
        cpu, start = server.cpu, time.monotonic()
        for _ in range(count):
            jobs.submit(server.port, _request(f"sleep {_JOB_SECONDS}"))
        await_all(server)
        seconds = time.monotonic() - start
        document.log(f"{workers} workers: {count} jobs in {seconds:.2f} s")
        return Throughput(workers, count / seconds, 1000 * (server.cpu - cpu) / count)


def _latencies(scene: Scene, workers: int, rounds: int) -> list[float]:
    """Return how many milliseconds jobs took, from the request to its COMPLETE, one at a time."""
    with _front(scene, workers) as server:
        for _ in range(5):
            _run(server, "sleep 0")
        return [_run(server, "sleep 0") for _ in range(rounds)]


def _run(server: Server, prompt: str) -> float:
    start = time.monotonic()
    job = jobs.submit(server.port, _request(prompt))
    jobs.follow(
        server.port, job, lambda state: state["status"] == "COMPLETE", seconds=_PATIENCE, pause=0
    )
    return 1000 * (time.monotonic() - start)


def _request(prompt: str) -> Request:
    return jobs.request(f"{prompt} {next(_numbers)}")


def await_all(server: Server) -> None:
    """Wait until no job waits or runs."""
    with Connection(server.port) as connection:
        while True:
            counts = json.loads(connection.ask(Request("/jobs?limit=1")))["counts"]
            if counts["FAILED"]:
                raise LoadError(f"{counts['FAILED']} jobs failed.")
            if not counts["QUEUED"] + counts["IN_PROGRESS"]:
                return
            time.sleep(0.01)


@contextlib.contextmanager
def _front(scene: Scene, workers: int) -> Iterator[Server]:
    """Run a front with so many workers; one without workers runs its jobs itself."""
    output = scene.folder / f"output{next(_numbers)}"
    address = f"tcp://127.0.0.1:{free_port()}"
    flags = ["--cluster", address, "--concurrency", "0"] if workers else []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            running(SDREST, scene, sdrest_program("--keep-alive", "-1", *flags), output=output)
        )
        for number in range(workers):
            stack.enter_context(_worker(scene, address, f"w{number}"))
        await_capacity(server, workers)
        yield server


@contextlib.contextmanager
def _worker(scene: Scene, address: str, name: str) -> Iterator[None]:
    command = [sys.executable, "-m", "sdrest", "worker", address, "--name", name]
    log = scene.folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--keep-alive", "-1", *scene.engine],
            cwd=scene.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


def await_capacity(server: Server, workers: int) -> None:
    """Wait until the server's workers can run so many jobs at once."""
    deadline = time.monotonic() + _PATIENCE
    while workers:
        with Connection(server.port) as connection:
            listed = json.loads(connection.ask(Request("/workers")))["workers"]
        if sum(worker["capacity"] for worker in listed) >= workers:
            return
        if time.monotonic() > deadline:
            raise LoadError(f"{len(listed)} of {workers} workers came.")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
