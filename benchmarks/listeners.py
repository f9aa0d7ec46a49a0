"""`python -m benchmarks.listeners`: hundreds who listen to one running job, over TLS.

The listeners are a process of their own; a bar's time is the script's write, and it has arrived
when the last listener has it, or a later one. `--dry` prints the results only.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import bars, document, jobs, report
from benchmarks.client import Connection, LoadError, Request
from benchmarks.servers import SDREST, Scene, Server, end_on_signals, running, sdrest_program
from benchmarks.standin import repository
from benchmarks.stats import Better, Goal, percentile

GOAL = Goal(Better.LOWER, 100, "ms")
_SETTLE = 2.0
_SPARE = 256
"""Descriptors that are needed for other things."""

_IMAGES = 10
_SECONDS = 300.0
_PAUSE = 0.01
"""Seconds between two questions after a job, as others ask them meanwhile."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen. `events` is how many each listener got.

    Milliseconds: from each bar to the last listener and to half of them, and of status answers to
    others, meanwhile and before. Bytes: the server's memory without and with listeners. Seconds:
    of its processor and of the clock.
    """

    last: list[float]
    median: list[float]
    status: list[float]
    alone: list[float]
    idle: int
    listening: int
    cpu: float
    wall: float
    bars: int
    events: float


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=200, help="default 200")
    parser.add_argument("--images", type=int, default=_IMAGES, help="of 99 bars each; default 10")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    end_on_signals()
    allow(options.listeners)
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            with running(SDREST, scene, sdrest_program(), output=Path(folder, "output")) as server:
                measured = measure(server, Path(folder), options.listeners, options.images)
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    text = f"{document.heading()}\n\n{render(options.listeners, measured)}"
    document.publish("listeners", text, dry=options.dry)
    return 0


def allow(descriptors: int) -> None:
    """Let this process and its children open so many files at once; raises `LoadError`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptors + _SPARE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise LoadError(f"Only {hard} files may be open; {wanted} are needed (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def measure(server: Server, folder: Path, listeners: int, images: int) -> Measured:
    """Let a job run behind another one while all are listening, and return the figures."""
    held = jobs.submit(server.port, jobs.request("hold"))
    jobs.await_status(server.port, held, "IN_PROGRESS")
    log, received = folder / "bars.txt", folder / "received.jsonl"
    job = jobs.submit(server.port, jobs.request(f"bars {log}", iterations=images, steps=100))
    time.sleep(_SETTLE)
    document.log("status answers without listeners")
    alone = [_ask(server.port, job) for _ in range(200)]
    idle = server.process.memory_info().rss
    command = [
        sys.executable,
        "-m",
        "benchmarks.event_clients",
        str(server.port),
        job,
        str(listeners),
    ]
    with received.open("wb") as file:
        clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=file)  # fmt: skip
    try:
        if clients.stdout is None or clients.stdout.readline() != b"listening\n":
            raise LoadError(f"The clients failed:\n{received.read_text()[-2000:]}")
        document.log(f"{listeners} are listening")
        time.sleep(_SETTLE)
        listening = server.process.memory_info().rss
        with Connection(server.port) as connection:
            connection.ask(Request(f"{held}/cancel", b"{}", expect=200))
        jobs.await_status(server.port, job, "IN_PROGRESS")
        cpu, start = server.cpu, time.monotonic()
        status = _others(server.port, job)
        cpu, wall = server.cpu - cpu, time.monotonic() - start
        result: dict[str, Any] = json.loads(clients.communicate(timeout=_SECONDS)[0])
    finally:
        clients.kill()
        clients.wait()
    drawn = bars.read(log)
    return Measured(
        last=[1000 * delay for delay in bars.delays(drawn, _moments(result["last"]))],
        median=[1000 * delay for delay in bars.delays(drawn, _moments(result["median"]))],
        status=status,
        alone=alone,
        idle=idle,
        listening=listening,
        cpu=cpu,
        wall=wall,
        bars=len(drawn),
        events=result["events"],
    )


def _moments(received: list[list[Any]]) -> list[bars.Moment]:
    return [(int(image), int(percent), float(seconds)) for image, percent, seconds in received]


def _ask(port: int, job: str) -> float:
    """Return the milliseconds of a status answer on a connection that is there."""
    time.sleep(_PAUSE)
    with Connection(port) as connection:
        connection.ask(Request(job))
        start = time.perf_counter()
        connection.ask(Request(job))
        return 1000 * (time.perf_counter() - start)


def _others(port: int, job: str) -> list[float]:
    """Ask for the job now and then until its end; return the milliseconds of the answers."""
    times = []
    with Connection(port) as connection:
        while True:
            time.sleep(_PAUSE)
            start = time.perf_counter()
            answer = connection.ask(Request(job))
            times.append(1000 * (time.perf_counter() - start))
            status = json.loads(answer)["status"]
            if status == "COMPLETE":
                return times
            if status in {"FAILED", "CANCELLED"}:
                raise LoadError(f"The job came to a bad end: {answer.decode()}")


def render(listeners: int, measured: Measured) -> str:
    """Return the table."""
    rate = measured.bars / measured.wall
    each = (measured.listening - measured.idle) / listeners / 1e3
    lines: list[tuple[str, str, Goal | None, float]] = []

    def add(what: str, value: float, unit: str, goal: Goal | None = None) -> None:
        lines.append((what, f"{report.number(value)} {unit}", goal, value))

    for name, percent in (("p50", 50), ("p99", 99), ("the slowest", 100)):
        goal = GOAL if name == "p99" else None
        what = f"a bar's bytes to all {listeners:,} listeners, {name}"
        add(what, percentile(measured.last, percent), "ms", goal)
    add("to half of them, p50", percentile(measured.median, 50), "ms")
    add("bars drawn", rate, "/s")
    add("events that each listener got", measured.events / measured.wall, "/s")
    add("server, processor time for an event to one listener",
        1e6 * measured.cpu / (measured.events * listeners), "µs")  # fmt: skip
    add("server, share of one processor", 100 * measured.cpu / measured.wall, "%")
    add("server, memory without listeners", measured.idle / 1e6, "MB")
    add(f"server, memory with {listeners:,} listeners", measured.listening / 1e6, "MB")
    add("memory per listener", each, "kB")
    add("status answers to others meanwhile, p50", percentile(measured.status, 50), "ms")
    add("p99", percentile(measured.status, 99), "ms")
    add("status answers before, p50", percentile(measured.alone, 50), "ms")
    return report.table(
        ("What", SDREST, "goal", ""),
        ((what, text, str(goal or ""), report.verdict(goal, value) if goal else "")
         for what, text, goal, value in lines),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
