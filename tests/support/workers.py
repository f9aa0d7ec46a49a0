"""Real workers: `python -m sdrest worker`, and Dask's scheduler in the loop of the test."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from distributed import Scheduler
from distributed.core import ConnectionPool

from sdrest.engine.base import Event, Finished, Task
from sdrest.engine.cluster import library
from sdrest.engine.cluster.protocol import (
    PREFIX,
    decode_event,
    decode_status,
    encode_task,
    versions,
)
from tests.support import cluster
from tests.support.fake_fork import FAKE
from tests.support.server import PATIENCE, environment


class Worker(cluster.Worker):
    """A process `sdrest worker` in `folder`, with its temporary files in a folder of their own."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        super().__init__("worker", process)
        self.temporary = folder / "tmp"
        self.folder = folder

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the worker with a signal; return its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()


@asynccontextmanager
async def running_worker(
    address: str, folder: Path, *flags: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Worker]:
    """Run a worker with the fake fork; it is killed at the end if the test has not ended it."""
    for made in (folder / "tmp", folder / "cache", folder / "home"):
        made.mkdir(parents=True, exist_ok=True)
    variables = environment(
        TMPDIR=str(folder / "tmp"),
        XDG_CACHE_HOME=str(folder / "cache"),
        HOME=str(folder / "home"),
        **(env or {}),
    )
    command = (sys.executable, "-m", "sdrest", "worker", address, *FAKE, *flags)
    process = await cluster.start(*command, folder=folder, env=variables)
    async with cluster.killed(Worker(process, folder)) as worker:
        yield worker


@asynccontextmanager
async def running_scheduler(port: int = 0) -> AsyncIterator[Scheduler]:
    """Run a scheduler on loopback."""
    library.load()
    async with Scheduler(
        host="127.0.0.1",
        port=port,
        protocol="tcp",
        dashboard=False,
        dashboard_address=library.HTTP_ADDRESS,
    ) as scheduler:
        yield scheduler


class Calls:
    """What a front calls: the only worker of a scheduler."""

    def __init__(self, scheduler: Scheduler, pool: ConnectionPool, front: str) -> None:
        self._scheduler = scheduler
        self._pool = pool
        self._front = front

    async def __call__(self, name: str, **arguments: Any) -> Any:
        """Call the worker, as soon as there is one."""
        async with asyncio.timeout(PATIENCE):
            while not self._scheduler.workers:  # noqa: ASYNC110 (Dask has no event for that)
                await asyncio.sleep(0.01)
            address = next(iter(self._scheduler.workers))
            rpc = self._pool(address)
            return await getattr(rpc, PREFIX + name)(front=self._front, **arguments)

    def of_front(self, name: str) -> "Calls":
        """Return the calls of another front, which has not connected."""
        return Calls(self._scheduler, self._pool, name)

    async def start(self, run: str, task: Task) -> None:
        """Begin a task."""
        await self("start", run=run, task=encode_task(task))

    async def events(self, run: str, task: Task, *, until: type = Finished) -> list[Event]:
        """Return the events of a run up to the first of a type."""
        found: list[Event] = []
        since = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self("events", run=run, since=since)
                assert answer is not None, "The run is lost."
                since += len(answer)
                found += [decode_event(one, task.workdir, "worker") for one in answer]
                if any(isinstance(event, until) for event in found):
                    return found

    async def status_with(self, **wanted: object) -> None:
        """Wait until fields of the worker's status have these values."""
        number = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                status = decode_status(await self("status", since=number))
                if all(getattr(status, name) == value for name, value in wanted.items()):
                    return
                number = status.number

    async def run(self, run: str, task: Task) -> list[Event]:
        """Run a task; return all its events."""
        await self.start(run, task)
        return await self.events(run, task)


@asynccontextmanager
async def calling(scheduler: Scheduler, front: str = "front") -> AsyncIterator[Calls]:
    """Give the calls of a front, connected to the only worker of a scheduler."""
    pool = ConnectionPool(limit=64, deserialize=True, connection_args={})
    await pool.start()
    try:
        calls = Calls(scheduler, pool, front)
        await calls("connect", versions=versions())
        yield calls
    finally:
        await pool.close()


def leftovers(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
