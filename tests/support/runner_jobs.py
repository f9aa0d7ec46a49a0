"""Jobs for one executor, and the processes that ran them."""

import asyncio
from pathlib import Path
from typing import Any

import psutil

from sdrest.engine.base import Event, Started
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from tests.fakes.running import (
    PATIENCE,
    collect,
    finished_events,
    task,
)

FOR_EVER = PoolConfig(keep_alive=-1)


class Jobs:
    """Jobs, one after the other, each in a folder of its own."""

    def __init__(self, executor: LocalExecutor, folder: Path) -> None:
        self.executor = executor
        self.folder = folder
        self.count = 0

    async def run(self, prompt: str = "paint", **fields: Any) -> list[Event]:
        self.count += 1
        work = task(self.folder / str(self.count), prompt, **fields)
        return await collect(finished_events(self.executor, work))

    async def pid(self, prompt: str = "paint", **fields: Any) -> int:
        """Run a job and return the process that it had."""
        return pid_of(await self.run(prompt, **fields))


def pid_of(events: list[Event]) -> int:
    assert isinstance(events[0], Started)
    return int(events[0].runner)


async def gone(pid: int) -> bool:
    """Wait for the end of a process; meanwhile the loop runs, which buries it."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    _, alive = await asyncio.to_thread(psutil.wait_procs, [process], timeout=PATIENCE)
    return not alive
