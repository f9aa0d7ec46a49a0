"""The hosts of this machine: which one takes a job, how long it stays, when it is replaced."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdrest.engine.local.process import GRACE, NO_OWNER, until_done
from sdrest.engine.local.repository import Repository
from sdrest.engine.local.runner import Host

_log = logging.getLogger(__name__)

INTERRUPT_GRACE = 2.0
"""Seconds that a script has to obey an interrupt before its host is killed."""

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How many hosts there are and what they keep.

    An idle host ends after `keep_alive` seconds (0: it takes one job only; negative: never). It
    keeps at most `max_models` models, and is replaced if it holds more than `max_memory` bytes
    after a job (0: no limit). `owner` is the id of the output folder, for `kill_orphans`.
    """

    concurrency: int = 1
    keep_alive: float = 0.0
    max_models: int = 2
    max_memory: int = 0
    owner: str = NO_OWNER


@dataclass(slots=True, eq=False)
class Resident:
    """A host, and the models that it should hold, the one used last at the end."""

    host: Host
    models: list[str]
    expiry: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many hosts run a script, how many wait for one, and what all hold, in bytes (RSS)."""

    busy: int
    idle: int
    memory: int


class Pool:
    """At most `keeping.concurrency` hosts. `take` one for a job, then give it back or `dismiss` it.

    A failing job's host has `grace` seconds after SIGTERM where it does not obey otherwise.
    """

    def __init__(
        self, repository: Repository, keeping: Keeping, *, stderr_tail: int, grace: float = GRACE
    ) -> None:
        self._repository = repository
        self._keeping = keeping
        self._stderr_tail = stderr_tail
        self._grace = grace
        self._permits = asyncio.Semaphore(keeping.concurrency)
        self._busy: dict[Host, Resident] = {}
        self._idle: list[Resident] = []  # the one used last at the end
        self._ending: set[asyncio.Task[None]] = set()

    async def take(self, model: Path) -> Host:
        """Return an idle host, best one that has the model, or start one; wait while all are busy.

        Who asks first is first. Raises OSError where none can be started.
        """
        await self._permits.acquire()
        try:
            name = await asyncio.to_thread(os.path.realpath, model)
        except BaseException:
            self._permits.release()
            raise
        resident = self._choose(name) or Resident(self._new_host(), [])
        self._busy[resident.host] = resident
        resident.models = [*(known for known in resident.models if known != name), name]
        del resident.models[: -self._keeping.max_models]
        if not resident.host.submitted:
            await self._start(resident.host)
        return resident.host

    async def give_back(self, host: Host, *, keep_alive: float, reusable: bool) -> None:
        """Take a host back after its job: it waits for another one, or it ends at once.

        Returns when all that the job started is gone. Its stderr is whole then.
        """
        await self._finish(self._give_back(host, keep_alive, reusable=reusable))

    def let_go(self, host: Host, *, keep_alive: float, reusable: bool) -> None:
        """Do what `give_back` does, while the caller goes on; whoever needs a host waits for it."""
        self._in_background(self._give_back(host, keep_alive, reusable=reusable))

    async def replace(self, host: Host) -> Host:
        """End a host after its job and start another one in its place, for the same model.

        Raises OSError where none can be started; then the ended host still has to be given back.
        """
        await self._finish(host.end(grace=0))
        fresh = Host(stderr_tail=self._stderr_tail)
        self._busy[fresh] = Resident(fresh, self._busy[host].models[-1:])
        try:
            await fresh.start(self._repository, models=self._keeping.max_models)
        except BaseException:
            await self._finish(fresh.end(grace=0))
            del self._busy[fresh]
            raise
        del self._busy[host]
        _log.debug("Host %d started.", fresh.pid)
        return fresh

    async def dismiss(self, host: Host, *, keep_alive: float) -> None:
        """End the job of a host, and the host too if it does not obey; then take it back."""
        await self._finish(self._dismiss(host, keep_alive))

    async def occupancy(self) -> Occupancy:
        """Look at the hosts, off the event loop."""
        busy, idle = [*self._busy], [resident.host for resident in self._idle]

        def weigh() -> int:
            return sum(host.memory() or 0 for host in (*busy, *idle))

        return Occupancy(len(busy), len(idle), await asyncio.to_thread(weigh))

    async def close(self) -> None:
        """End all hosts."""
        idle, self._idle = self._idle, []
        for resident in idle:
            _cancel(resident)
        hosts = [*self._busy, *(resident.host for resident in idle)]
        await asyncio.gather(*(host.end(grace=self._grace) for host in hosts), *self._ending)

    def _new_host(self) -> Host:
        return Host(stderr_tail=self._stderr_tail, owner=self._keeping.owner)

    async def _start(self, host: Host) -> None:
        try:
            await host.start(self._repository, models=self._keeping.max_models)
        except BaseException:
            await self.give_back(host, keep_alive=0, reusable=False)
            raise
        _log.debug("Host %d started.", host.pid)

    def _choose(self, model: str) -> Resident | None:
        for resident in [resident for resident in self._idle if not resident.host.alive]:
            _cancel(resident)
            self._expire(resident)
        if not self._idle:
            return None
        holders = [resident for resident in self._idle if model in resident.models]
        chosen = holders[-1] if holders else min(self._idle, key=lambda one: len(one.models))
        self._idle.remove(chosen)
        _cancel(chosen)
        return chosen

    async def _give_back(self, host: Host, keep_alive: float, *, reusable: bool) -> None:
        try:
            memory = host.memory() or 0
            limit = self._keeping.max_memory
            stays = reusable and keep_alive != 0 and not 0 < limit < memory
            if stays:
                await host.settle()
            _log.debug("Host %d holds %d MiB after its job.", host.pid, memory // _MIB)
            if stays and host.unspoiled:
                self._rest(self._busy[host], keep_alive)
            else:
                await host.end(grace=0)
                _log.debug("Host %d ended.", host.pid)
        finally:
            del self._busy[host]
            self._permits.release()

    async def _dismiss(self, host: Host, keep_alive: float) -> None:
        if keep_alive != 0 and host.result is None:
            host.interrupt()
            await host.wait(INTERRUPT_GRACE)
        elif host.result is None:
            await host.end(grace=self._grace)
        await self._give_back(host, keep_alive, reusable=host.unspoiled)

    def _rest(self, resident: Resident, keep_alive: float) -> None:
        self._idle.append(resident)
        if keep_alive > 0:
            loop = asyncio.get_running_loop()
            resident.expiry = loop.call_later(keep_alive, self._expire, resident)

    def _expire(self, resident: Resident) -> None:
        if resident in self._idle:
            self._idle.remove(resident)
            _log.debug("Host %d ends.", resident.host.pid)
            self._in_background(resident.host.end(grace=0))

    async def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something to its end even if the caller is cancelled meanwhile."""
        await until_done(self._in_background(work))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


def _cancel(resident: Resident) -> None:
    if resident.expiry:
        resident.expiry.cancel()
        resident.expiry = None
