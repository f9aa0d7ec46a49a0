"""`python -m benchmarks.many_workers ADDRESS COUNT NAME FOLDER`: simulated workers in one process.

They speak to the server as real ones do; their engine is a clock. A job of the prompt `bars COUNT
SECONDS` draws so many bars in so many seconds and makes a picture of 400 kB.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.standin.repository import picture
from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import (
    Event,
    Finished,
    Health,
    ImageReady,
    PoolStats,
    Progress,
    Started,
    Task,
)
from sdrest.engine.cluster.library import load
from sdrest.engine.local.repository import locate
from sdrest.settings import Settings


class Clock:
    """An executor without scripts."""

    capacity = 1

    def __init__(self) -> None:
        self._busy = 0
        self._picture = picture()

    def watch_capacity(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Do nothing: it never changes."""
        del changed
        return lambda: None

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Draw bars, then make the picture."""
        _, bars, seconds, *_ = getattr(task.params, "prompt", "").split()
        self._busy += 1
        try:
            yield Started("clock")
            for bar in range(int(bars)):
                yield Progress(1, bar / int(bars))
                await asyncio.sleep(float(seconds) / int(bars))
            path = task.workdir / "1.png"
            path.write_bytes(self._picture)
            yield ImageReady(1, path)
            yield Finished()
        finally:
            self._busy -= 1

    async def health(self) -> Health:
        """Return that nothing is wrong."""
        return Health({}, bundled=True)

    async def stats(self) -> PoolStats:
        """Return whether it runs a task."""
        return PoolStats(busy=self._busy, idle=1 - self._busy, memory=0)

    def preload(self) -> None:
        """Do nothing: it has no model."""

    async def unload(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


async def work(address: str, count: int, name: str, folder: Path) -> None:
    """Keep `count` workers connected until this process is ended."""
    from sdrest.engine.cluster.engine import Engine  # noqa: PLC0415 (they load Dask)
    from sdrest.engine.cluster.offer import Machine, Offers  # noqa: PLC0415
    from sdrest.engine.cluster.runs import Runs  # noqa: PLC0415
    from sdrest.engine.cluster.worker import WorkerConnection  # noqa: PLC0415

    repository = locate(Settings())
    async with AsyncExitStack() as stack:
        hashes = Hashes(folder / "hashes.json")
        stack.callback(hashes.close)
        connections = []
        for number in range(count):
            place = folder / f"{name}-{number}"
            place.mkdir(parents=True)
            executor = Clock()
            runs = Runs(executor, place)
            machine = Machine(f"{name}-{number}", "cpu")
            offers = Offers(machine, repository, executor, hashes, changed=runs.changed.send)
            await offers.refresh()
            engine = Engine(runs, offers)
            connections.append(
                WorkerConnection(
                    address,
                    engine,
                    name=machine.name,
                    security=None,
                    folder=place,
                    report=lambda _: None,
                )
            )
        await asyncio.gather(*(connection.keep() for connection in connections))


if __name__ == "__main__":
    load()
    target, number, prefix, where = sys.argv[1:]
    asyncio.run(work(target, int(number), prefix, Path(where)))
