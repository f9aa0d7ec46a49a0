"""The front's own runners as one of the machines of its cluster."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import Event, Executor, Finished, Need, PoolStats, Started, Task
from sdrest.engine.cluster.assignment import Place, needs_of
from sdrest.engine.cluster.offer import Machine, Offers
from sdrest.engine.cluster.protocol import versions
from sdrest.engine.local.repository import Repository
from sdrest.engine.workers import Offer, WorkerInfo


class Here:
    """`executor` and what it offers; `runs` are the ids of the jobs that it runs.

    `start` comes before all else.
    """

    def __init__(
        self, executor: Executor, repository: Repository, hashes: Hashes, machine: Machine
    ) -> None:
        self.executor = executor
        self.runs: list[str] = []
        self._offers = Offers(machine, repository, executor, hashes, changed=self._note)
        self._since = time.time()
        self._loaded: tuple[str, ...] = ()
        self._stats = PoolStats(0, 0, 0)
        self._needs: frozenset[Need] = frozenset()
        self._changed: Callable[[], object] = lambda: None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, changed: Callable[[], object]) -> None:
        """Look at what there is, and go on looking; call `changed` when it is another."""
        await self.stats()
        await self._offers.refresh()
        self._changed = changed
        self._watching = asyncio.create_task(self._offers.watch())

    async def refresh(self) -> None:
        """Look again at what there is."""
        await self._offers.refresh()

    async def stats(self) -> PoolStats:
        """Look at the runners, at what they have loaded, and at what they compute on."""
        stats = self._stats = await self.executor.stats()
        self._loaded = self._offers.files(stats.models)
        if stats.device:
            self._offers.machine = replace(self._offers.machine, accelerator=stats.device)
        return stats

    async def close(self) -> None:
        """End every process."""
        if self._watching:
            self._watching.cancel()
        await self.executor.close()

    @property
    def offer(self) -> Offer:
        """What this machine has."""
        return self._offers.current

    @property
    def place(self) -> Place:
        """This machine for `assignment`."""
        return Place("", self.offer, self._needs, len(self.runs), self._loaded)

    @property
    def info(self) -> WorkerInfo:
        """This machine for people."""
        return WorkerInfo(
            self.offer.name,
            "",
            versions(),
            self._since,
            time.time(),
            self.offer,
            sorted(self.runs),
            self._loaded,
            busy=len(self.runs),
            idle=self._stats.idle,
            memory=self._stats.memory,
        )

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task; see `Executor.run`."""
        self.runs.append(task.id)
        try:
            async with aclosing(self.executor.run(task)) as events:
                async for event in events:
                    if isinstance(event, Started | Finished):
                        await self.stats()
                    yield event
        finally:
            self.runs.remove(task.id)
            self._changed()

    def _note(self) -> None:
        """Take account of another offer."""
        self._needs = needs_of(self._offers.current)
        self._changed()
