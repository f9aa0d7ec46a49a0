"""`python -m benchmarks.engine --full`: a text-to-image job with a checkpoint of full size.

Times count from the start of the script, or from the POST of the job; memory is the resident memory
of the process that runs the script.
"""

import argparse
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil

from benchmarks import chosen, document, jobs, report, uploads
from benchmarks.bare import Bare, ScriptFailedError
from benchmarks.client import Connection, LoadError, Request
from benchmarks.rows import Row
from benchmarks.servers import SDREST, Server, running, sdrest_program
from benchmarks.stats import Better, Goal, percentile
from sdrest.job_types import JobType
from sdrest.settings import FLAGS

BARE = "bare script"
FAST = "fast"
GOALS = {
    "first bar, cold": Goal(Better.LOWER, 0.6),
    "first bar, warm": Goal(Better.LOWER, 1, "s"),
    "peak memory": Goal(Better.LOWER, 0.65),
    "status answers while it loads, p99": Goal(Better.LOWER, 20, "ms"),
}

_TYPE = JobType.TEXT_TO_IMAGE
_FIRST_BAR = b"Sampling:   0%"
_INTERVAL = 0.05
_REST_SECONDS = 3.0
_GIB = 2**30


@dataclass(slots=True)
class Run:
    """One run of a script or a job: seconds to its first bar and in all, its PNGs, GiB."""

    first_bar: float = 0.0
    total: float = 0.0
    peak: float = 0.0
    rest: float = 0.0
    images: list[bytes] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Measured:
    """Figures by row and by who made them, and how many PNGs were those of the bare script."""

    figures: dict[Row, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    same: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))

    def add(self, what: str, how: str, unit: str, ours: float, theirs: float | None) -> None:
        """Record a figure of sdrest's, and that of the bare script if it has one."""
        row = Row(f"{what} ({how})" if how else what, unit, GOALS.get(what))
        self.figures[row][SDREST].append(ours)
        if theirs is not None:
            self.figures[row][BARE].append(theirs)
        document.log(f"{row.what}: {ours:.3g} {unit}, bare {theirs}")

    def compare(self, how: str, script: Run, cold: Run, warm: Run) -> None:
        """Record a run of the script, and two of the same job on one server."""
        self.add("first bar, cold", how, "s", cold.first_bar, script.first_bar)
        self.add("first bar, warm", how, "s", warm.first_bar, script.first_bar)
        self.add("in all, cold", how, "s", cold.total, script.total)
        self.add("in all, warm", how, "s", warm.total, script.total)
        self.add("peak memory", how, "GiB", max(cold.peak, warm.peak), script.peak)
        self.add("memory at rest", how, "GiB", warm.rest, None)
        milliseconds = 1000 * percentile(cold.answers, 99)
        self.add("status answers while it loads, p99", how, "ms", milliseconds, None)
        expected = cold if how == FAST else script
        self.same[f"{how} cold".lstrip()].append(cold.images == expected.images)
        self.same[f"{how} warm".lstrip()].append(warm.images == expected.images)

    def render(self) -> str:
        """Return the table, and how many PNGs were the same."""
        same = ", ".join(f"{sum(all_)} of {len(all_)} ({how})" for how, all_ in self.same.items())
        return (
            f"{report.comparison(self.figures, theirs=BARE)}\n"
            f"PNGs byte for byte those of the bare script ({FAST}: of the cold job): {same}.\n"
        )


def _attentions() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the ways to compute attention that this server has, and their flags."""
    option = next((flag.option for flag in FLAGS if flag.name == "attention"), None)
    if option is None:
        yield "", ()
        return
    for how in ("exact", FAST):
        yield how, (option, how)


def _run_script(bare: Bare, values: Mapping[str, Any]) -> Run:
    call = bare.prepare(_TYPE, values, uploads.SIZE)
    run = Run()
    start = time.monotonic()
    process = subprocess.Popen(
        call.command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=call.cwd,
        env=bare.environment,
        bufsize=0,
    )
    seen = b""
    with process, _peak(run, lambda: [psutil.Process(process.pid)]):
        while process.stderr and (data := process.stderr.read(4096)):
            seen += data
            if not run.first_bar and _FIRST_BAR in seen:
                run.first_bar = time.monotonic() - start
    run.total = time.monotonic() - start
    if process.returncode:
        raise ScriptFailedError(f"The script failed: {seen[-2000:].decode(errors='replace')}")
    run.images = call.answered()
    return run


def _run_job(server: Server, values: Mapping[str, Any]) -> Run:
    """Run a job and listen to its events; ask for its status until its first bar."""
    run = Run()
    loaded = threading.Event()
    start = time.monotonic()
    job = jobs.submit(server.port, uploads.request(_TYPE, values))
    asking = threading.Thread(target=_ask, args=(server.port, job, run.answers, loaded))
    asking.start()
    try:
        with Connection(server.port) as connection, _peak(run, server.runners):
            connection.send(Request(f"{job}/events"))
            seen = b""
            while b'"status":"COMPLETE"' not in seen:
                data = connection.socket.recv(1 << 16)
                seen += data
                if not data or b'"status":"FAILED"' in seen:
                    raise LoadError(f"The job came to a bad end: {seen[-2000:].decode()}")
                if not loaded.is_set() and b"event: progress" in seen:
                    run.first_bar = time.monotonic() - start
                    loaded.set()
            run.total = time.monotonic() - start
    finally:
        loaded.set()
        asking.join()
    time.sleep(_REST_SECONDS)
    run.rest = sum(runner.memory_info().rss for runner in server.runners()) / _GIB
    run.images = jobs.fetch(server.port, jobs.images(server.port, job))
    return run


def _ask(port: int, job: str, answers: list[float], end: threading.Event) -> None:
    """Record the seconds of each answer to a client that asks for a job's status."""
    with Connection(port) as connection:
        while not end.wait(_INTERVAL / 2):
            start = time.monotonic()
            connection.ask(Request(job))
            answers.append(time.monotonic() - start)


@contextmanager
def _peak(run: Run, processes: Callable[[], Sequence[psutil.Process]]) -> Iterator[None]:
    """Record the most memory that processes hold while the block runs."""
    end = threading.Event()

    def look() -> None:
        while not end.wait(_INTERVAL):
            with suppress(psutil.Error):
                total = sum(process.memory_info().rss for process in processes())
                run.peak = max(run.peak, total / _GIB)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def main(options: argparse.Namespace) -> int:
    """Measure what the arguments ask for and return the exit status."""
    measured = Measured()
    values = {"prompt": "A mountain", "steps": options.steps}
    values |= {"width": options.size, "height": options.size}
    with chosen.chosen(options) as place:
        bare = Bare(place.repository, place.folder)
        for number in range(1, options.rounds + 1):
            script = _run_script(bare, {**values, "seed": number})
            for how, flags in _attentions():
                program = sdrest_program("--no-metadata", "--keep-alive", "-1", *flags)
                output = place.folder / f"{number}{how}"
                with running(SDREST, place.scene, program, output=output) as server:
                    cold = _run_job(server, {**values, "seed": number})
                    warm = _run_job(server, {**values, "seed": number, "iterations": 1})
                measured.compare(how, script, cold, warm)
    facts = f"{options.size} x {options.size} pixels, {options.steps} steps"
    head = document.heading(f"{options.name}, {facts}, medians of {options.rounds} rounds")
    document.publish("engine-full", f"{head}\n\n{measured.render()}", dry=options.dry)
    return 0
