"""Measures sdrest and the original in alternation."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from pathlib import Path

from benchmarks import bars, jobs, load, rows
from benchmarks.client import Request
from benchmarks.rows import CONNECTIONS, LoadRows, Row
from benchmarks.servers import Scene, Server, running
from benchmarks.stats import percentile

NEW_REQUESTS = {16: 10_000, 64: 10_000, 1: 2_000}
"""Requests for each number of connections, in the order of measuring."""

_SYNCS = 200

_SETTLE = 2.0
"""Seconds before memory is measured, until garbage collection has returned memory."""

Figures = Mapping[Row, Mapping[str, list[float]]]
"""For each row and server one figure per round."""


@dataclass(slots=True)
class Comparison:
    """Collects the figures of all rounds."""

    log: Callable[[str], None]
    seconds: float
    figures: dict[Row, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def round(self, scene: Scene, programs: Mapping[str, list[str]], output: Path) -> None:
        """Start each server with an empty output folder and measure every row, turn by turn."""
        with ExitStack() as stack:
            servers = [
                stack.enter_context(running(name, scene, program, output=output / name))
                for name, program in programs.items()
            ]
            time.sleep(_SETTLE)
            for server in servers:
                self._record(rows.IDLE, server, server.memory() / 1e6)
            self._measure_known(servers)
            for server in servers:
                delays = bars.latencies(server.port)
                self._record(rows.BAR_P50, server, percentile(delays, 50))
                self._record(rows.BAR_P99, server, percentile(delays, 99))
            self._measure_new(servers)

    def _measure_known(self, servers: list[Server]) -> None:
        known = jobs.request("A mountain")
        paths = {}
        for server in servers:
            paths[server.name] = jobs.submit(server.port, known)
            jobs.await_status(server.port, paths[server.name], "COMPLETE")
        kinds: list[tuple[LoadRows, Callable[[str], Request]]] = [
            (rows.STATUS, Request),
            (rows.PICTURE, lambda path: Request(f"{path}/1.png")),
            (rows.KNOWN, lambda _: known),
        ]
        for kind, make in kinds:
            for connections in CONNECTIONS:
                for server in servers:
                    request = make(paths[server.name])
                    send = partial(load.same, server.port, request, seconds=self.seconds)
                    self._load(kind, connections, server, send)

    def _measure_new(self, servers: list[Server]) -> None:
        fresh = {server.name: new_requests() for server in servers}
        before = {}
        for server in servers:
            hold(server)
            time.sleep(_SETTLE)
            before[server.name] = server.memory()
        for connections, number in NEW_REQUESTS.items():
            for server in servers:
                requests = islice(fresh[server.name], number)
                send = partial(load.each, server.port, requests)
                p50 = self._load(rows.NEW, connections, server, send).p50
                if connections == 1:
                    sync = sync_milliseconds(server.output)
                    self._record(rows.SYNC, server, sync)
                    self._record(rows.BEYOND_SYNC, server, p50 - sync)
                if server.name in before:
                    time.sleep(_SETTLE)
                    grown = server.memory() - before.pop(server.name)
                    self._record(rows.WAITING, server, grown / number / 1e3)

    def _load(
        self, kind: LoadRows, connections: int, server: Server, send: Callable[..., load.Load]
    ) -> load.Load:
        before = server.cpu
        sample = send(connections=connections)
        used = server.cpu - before
        self._record(kind.rate(connections), server, sample.rate)
        self._record(kind.latency(50, connections), server, sample.p50)
        self._record(kind.latency(99, connections), server, sample.p99)
        self._record(kind.cpu(connections), server, used / sample.answers * 1000)
        return sample

    def _record(self, row: Row, server: Server, figure: float) -> None:
        self.figures[row][server.name].append(figure)
        at = f" at {row.connections}" if row.connections else ""
        self.log(f"{row.what}{at}: {server.name} {figure:.4g} {row.unit}")


def sync_milliseconds(folder: Path) -> float:
    """Return the median time to append 4 KiB to a file in `folder` and sync it."""
    seconds = []
    path = folder / "sync"
    with path.open("ab", buffering=0) as file:
        for _ in range(_SYNCS):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - start)
    path.unlink()
    return percentile(seconds, 50) * 1000


def hold(server: Server) -> None:
    """Keep the server busy, so that later jobs wait."""
    jobs.await_status(server.port, jobs.submit(server.port, jobs.request("hold")), "IN_PROGRESS")


def new_requests() -> Iterator[Request]:
    """Return requests of different jobs."""
    return (jobs.request(f"A mountain, number {number}") for number in count())
