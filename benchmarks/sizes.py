"""What sdrest costs with many jobs in its table."""

import asyncio
import hashlib
import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks import load, report
from benchmarks.client import Request
from benchmarks.compare import hold, new_requests
from benchmarks.jobs import TEXT_TO_IMAGE
from benchmarks.servers import SDREST, Scene, running, sdrest_program
from benchmarks.stats import Better, Goal
from sdrest.jobs.folders import Folders
from sdrest.jobs.store import Store

SIZES = (0, 100, 10_000, 100_000, 1_000_000)
WITH_FOLDERS = 100_000
"""Up to this size each finished job has its folder with a picture, as in real life.

Of larger tables, the jobs that are looked at have one: without it they would be FAILED.
"""

_PICTURE = b"\x89PNG"
"""The content of the stand-in pictures, which are never read."""

_STARTS = 3
_LOOKS = 5_000
_LAST = 100
"""Clients follow the last few jobs; these are as many as the smallest table has."""

_POSTS = 2_000
_CONNECTIONS = 16
_FILL = """
INSERT INTO jobs (type, id, status, params, total_images, images, seed, attempts, created_at,
                  started_at, finished_at)
VALUES ('text-to-image', ?, 'COMPLETE', ?, 1, 1, 42, 1, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """The figures of one size in one round."""

    start: float
    idle: float
    last_p50: float
    look_p50: float
    look_p99: float
    looks: float
    posts: float


HEAD = (
    "jobs", "start, s", "memory, MB", f"status of the last {_LAST} at 1: p50, ms",
    "status of any job at 1: p50, ms", "p99, ms",
    f"status of any job at {_CONNECTIONS}, /s", f"new POST at {_CONNECTIONS}, /s",
)  # fmt: skip

GOALS: Sequence[tuple[str, str, int, int, Goal | None]] = (
    ("start", "start", 1_000_000, 0, Goal(Better.LOWER, 1.2)),
    ("start", "start", 100_000, 0, None),
    ("status of the last, p50", "last_p50", 1_000_000, 100, None),
    ("status of any, p50", "look_p50", 1_000_000, 100, None),
    ("status of any, p99", "look_p99", 1_000_000, 100, None),
    ("POST rate", "posts", 1_000_000, 100, None),
)
"""What, its figure, at how many jobs, against how many, and the ratio's goal."""


def measure(
    scene: Scene, *, rounds: int, log: Callable[[str], None]
) -> Mapping[int, Sequence[Cost]]:
    """Return for each size the figures of each round; the sizes take turns."""
    costs = defaultdict(list)
    filled = {size: scene.folder / f"filled-{size}" for size in SIZES}
    for size, folder in filled.items():
        log(f"filling a table with {size:,} jobs")
        fill(folder, size)
    for _ in range(rounds):
        for size, folder in filled.items():
            cost = _measure_one(scene, folder, size)
            log(f"{size:,} jobs: {cost}")
            costs[size].append(cost)
    return costs


def _measure_one(scene: Scene, folder: Path, size: int) -> Cost:
    """Measure one size; the jobs that this adds are removed afterwards."""
    starts = [_start_seconds(scene, folder) for _ in range(_STARTS)]
    looks, followed = _jobs_to_look_at(size)
    with running(SDREST, scene, sdrest_program(), output=folder) as server:
        time.sleep(1)
        idle = server.memory() / 1e6
        last = load.each(server.port, map(_look, followed), connections=1) if size else None
        slow = load.each(server.port, map(_look, looks), connections=1) if size else None
        fast = load.each(server.port, map(_look, looks), connections=_CONNECTIONS) if size else None
        hold(server)
        posts = load.each(
            server.port, islice(new_requests(), _POSTS), connections=_CONNECTIONS
        ).rate
    with _writing(folder) as connection:
        connection.execute("DELETE FROM jobs WHERE status <> 'COMPLETE'")
    return Cost(
        start=median(starts),
        idle=idle,
        last_p50=last.p50 if last else 0,
        look_p50=slow.p50 if slow else 0,
        look_p99=slow.p99 if slow else 0,
        looks=fast.rate if fast else 0,
        posts=posts,
    )


def _jobs_to_look_at(size: int) -> tuple[list[int], list[int]]:
    """Return numbers of jobs: any, and of the last ones."""
    if not size:
        return [], []
    numbers = random.Random(size)  # noqa: S311 (no secret)
    looks = [numbers.randrange(size) for _ in range(_LOOKS)]
    return looks, [size - 1 - numbers.randrange(_LAST) for _ in range(_LOOKS)]


def _start_seconds(scene: Scene, folder: Path) -> float:
    with running(SDREST, scene, sdrest_program(), output=folder) as server:
        return server.start_seconds


def fill(folder: Path, size: int) -> None:
    """Make an output folder with `size` finished jobs."""
    asyncio.run(_create(Folders(folder)))
    with _writing(folder) as connection:
        connection.executemany(_FILL, _finished(size))
    looks, followed = _jobs_to_look_at(size)
    for number in range(size) if size <= WITH_FOLDERS else {*looks, *followed}:
        published = folder / TEXT_TO_IMAGE[1:] / _id(number)
        published.mkdir()
        (published / "1.png").write_bytes(_PICTURE)


@contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the table for one large change, which may take memory and need not be safe."""
    with closing(sqlite3.connect(Folders(folder).database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")  # kiB
        connection.execute("BEGIN")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")  # as the server leaves it


async def _create(folders: Folders) -> None:
    async with Store(folders):
        pass


def _finished(size: int) -> Iterator[tuple[object, ...]]:
    now = time.time()
    for number in range(size):
        params = f'{{"prompt":"A mountain, number {number}"}}'
        yield _id(number), params, now, now, now


def _id(number: int) -> str:
    return hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest()


def _look(number: int) -> Request:
    return Request(f"{TEXT_TO_IMAGE}/{_id(number)}")


def render(costs: Mapping[int, Sequence[Cost]]) -> str:
    """Return the table of medians and that of the goals."""
    lines = [
        (f"{size:,}", *(report.number(value) if value else "" for value in _medians(rounds)))
        for size, rounds in costs.items()
    ]
    goals = []
    for what, figure, many, few, goal in GOALS:
        value = _median(costs[many], figure) / _median(costs[few], figure)
        against = f"{many:,} jobs against {few:,}"
        verdict = (str(goal), report.verdict(goal, value)) if goal else ("", "")
        goals.append((what, against, f"{value:.2f} x", *verdict))
    return report.table(HEAD, lines) + "\n" + report.table(("What", "", "ratio", "goal", ""), goals)


def _medians(costs: Sequence[Cost]) -> list[float]:
    return [median(values) for values in zip(*map(astuple, costs), strict=True)]


def _median(costs: Sequence[Cost], figure: str) -> float:
    return float(median(getattr(cost, figure) for cost in costs))
