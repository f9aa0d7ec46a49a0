"""`python -m benchmarks.waiting`: clients of OpenAI's API wait for pictures, and half leave.

They wait behind a job that holds the queue. Then every second one disconnects, and the others get
their pictures. `--dry` prints the results only.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import document, jobs, report
from benchmarks.client import Connection, LoadError, Request
from benchmarks.listeners import allow
from benchmarks.servers import SDREST, Scene, Server, end_on_signals, running, sdrest_program
from benchmarks.standin import repository

_SECONDS = 600.0
_PAUSE = 0.05


@dataclass(slots=True)
class Measured:
    """What was seen: bytes of the server's memory, seconds, and the order of the answers."""

    idle: int = 0
    waiting: int = 0
    peak: int = 0
    end: int = 0
    cancelling: float = 0.0
    serving: float = 0.0
    answered: list[int] = field(default_factory=list)
    ran_for_nobody: int = 0


def main() -> int:
    """Measure and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="default 200")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    end_on_signals()
    allow(options.clients)
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            with running(SDREST, scene, sdrest_program(), output=Path(folder, "output")) as server:
                measured = asyncio.run(measure(server, options.clients))
    except LoadError as error:
        print(error, file=sys.stderr)
        return 1
    text = f"{document.heading()}\n\n{render(options.clients, measured)}"
    document.publish("waiting", text, dry=options.dry)
    return 0


async def measure(server: Server, clients: int) -> Measured:
    """Let clients wait behind a job, let every second one leave, and serve the others."""
    held = await asyncio.to_thread(jobs.submit, server.port, jobs.request("hold"))
    await asyncio.to_thread(jobs.await_status, server.port, held, "IN_PROGRESS")
    measured = Measured(idle=server.process.memory_info().rss)
    base = f"https://127.0.0.1:{server.port}"
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=False)
    timeout = aiohttp.ClientTimeout(_SECONDS)
    async with aiohttp.ClientSession(base, connector=connector, timeout=timeout) as session:
        tasks = []
        for number in range(clients):
            tasks.append(asyncio.create_task(_client(session, number, measured.answered)))
            await _until(session, partial(_are_queued, number + 1))
        document.log(f"{clients} clients wait")
        measured.waiting = server.process.memory_info().rss
        start = time.monotonic()
        for task in tasks[1::2]:
            task.cancel()
        await _until(session, lambda counts: counts["CANCELLED"] == clients // 2)
        measured.cancelling = time.monotonic() - start
        document.log(f"{clients // 2} have left; their jobs are cancelled")
        with Connection(server.port) as connection:
            connection.ask(Request(f"{held}/cancel", b"{}", expect=200))
        start = time.monotonic()
        staying = asyncio.gather(*tasks[::2])
        while not staying.done():
            await asyncio.wait([staying], timeout=_PAUSE)
            measured.peak = max(measured.peak, server.process.memory_info().rss)
        await staying
        measured.serving = time.monotonic() - start
        measured.end = server.process.memory_info().rss
        measured.ran_for_nobody = await _ran_for_nobody(session)
    return measured


async def _client(session: aiohttp.ClientSession, number: int, answered: list[int]) -> None:
    body = {"prompt": f"client {number}", "response_format": "b64_json", "size": "512x512"}
    async with session.post("/v1/images/generations", json=body) as response:
        answer = await response.json()
        if response.status != 200:  # noqa: PLR2004 (OK)
            raise LoadError(f"Client {number} was answered {response.status}: {answer}")
        answered.append(number)


async def _until(
    session: aiohttp.ClientSession, seen: Callable[[dict[str, int]], bool]
) -> dict[str, Any]:
    """Ask for the counts of jobs until `seen` returns true of them; return the last answer."""
    async with asyncio.timeout(_SECONDS):
        while True:
            async with session.get("/jobs", params={"limit": 1000}) as response:
                answer: dict[str, Any] = await response.json()
            if seen(answer["counts"]):
                return answer
            await asyncio.sleep(0.005)


def _are_queued(count: int, counts: dict[str, int]) -> bool:
    return counts["QUEUED"] == count


async def _ran_for_nobody(session: aiohttp.ClientSession) -> int:
    """Return how many jobs of clients that left were ever started."""
    answer = await _until(session, lambda _: True)
    return sum(
        job["startedAt"] is not None
        for job in answer["jobs"]
        if job["status"] == "CANCELLED" and job["params"]["prompt"] != "hold"
    )


def render(clients: int, measured: Measured) -> str:
    """Return the table."""
    stayed = list(range(0, clients, 2))
    each = (measured.waiting - measured.idle) / clients / 1e3
    in_order = measured.answered == stayed
    lines = [
        ("server, memory without clients", f"{report.number(measured.idle / 1e6)} MB"),
        (f"server, memory with {clients} waiting", f"{report.number(measured.waiting / 1e6)} MB"),
        ("memory per waiting client, with its TLS connection", f"{report.number(each)} kB"),
        (f"{len(stayed)} leave: until their jobs are cancelled",
         f"{report.number(measured.cancelling)} s"),
        ("jobs of clients that left which ran", str(measured.ran_for_nobody)),
        ("the others, served in the order in which they came", "yes" if in_order else "NO"),
        ("all of them served", f"{report.number(measured.serving)} s"),
        ("server, most memory meanwhile", f"{report.number(measured.peak / 1e6)} MB"),
        ("server, memory afterwards", f"{report.number(measured.end / 1e6)} MB"),
    ]  # fmt: skip
    return report.table(("What", SDREST), lines)


if __name__ == "__main__":
    sys.exit(main())
