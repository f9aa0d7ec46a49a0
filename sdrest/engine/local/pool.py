"""The runners of this machine: which one takes a job, how long it stays, when it is replaced."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdrest.cancellation import until_done
from sdrest.engine.base import NO_OWNER, PoolStats
from sdrest.engine.local.process import GRACE
from sdrest.engine.local.repository import Repository
from sdrest.engine.local.runner import Runner

_log = logging.getLogger(__name__)

INTERRUPT_GRACE = 2.0
"""Seconds that a script has to obey an interrupt before its runner is killed."""

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """How many runners there are and what they keep.

    An idle runner ends after `keep_alive` seconds (0: it takes one job only; negative: never). It
    keeps at most `max_models` models, and is replaced if it holds more than `max_memory` bytes
    after a job (0: no limit). `owner` is the id of the output folder, for `kill_orphans`.
    """

    concurrency: int = 1
    keep_alive: float = 0.0
    max_models: int = 2
    max_memory: int = 0
    owner: str = NO_OWNER


@dataclass(slots=True, eq=False)
class _PooledRunner:
    """A runner, and the models that it should hold, the one used last at the end."""

    runner: Runner
    models: list[str]
    expiry: asyncio.TimerHandle | None = None


class Pool:
    """At most `config.concurrency` runners: `take` one for a job, give it back or `dismiss` it.

    A failing job's runner has `grace` seconds after SIGTERM where it does not obey otherwise.
    """

    def __init__(
        self, repository: Repository, config: PoolConfig, *, stderr_tail: int, grace: float = GRACE
    ) -> None:
        self._repository = repository
        self.config = config
        self._stderr_tail = stderr_tail
        self._grace = grace
        self._permits = asyncio.Semaphore(config.concurrency)
        self._busy: dict[Runner, _PooledRunner] = {}
        self._idle: list[_PooledRunner] = []  # the one used last at the end
        self._ending: set[asyncio.Task[None]] = set()

    async def take(self, model: Path) -> Runner:
        """Return an idle runner, best one with the model, or a new one; wait while all are busy.

        Who asks first is first. Raises OSError where none can be started.
        """
        await self._permits.acquire()
        try:
            name = await asyncio.to_thread(os.path.realpath, model)
        except BaseException:
            self._permits.release()
            raise
        pooled = self._choose(name) or _PooledRunner(self._new_runner(), [])
        self._busy[pooled.runner] = pooled
        pooled.models = [*(known for known in pooled.models if known != name), name]
        del pooled.models[: -self.config.max_models]
        if not pooled.runner.submitted:
            await self._start(pooled.runner)
        return pooled.runner

    async def give_back(self, runner: Runner, *, keep_alive: float, reusable: bool) -> None:
        """Take a runner back after its job: it waits for another one, or it ends at once.

        Returns when all that the job started is gone. Its stderr is whole then.
        """
        await self._finish(self._give_back(runner, keep_alive, reusable=reusable))

    def let_go(self, runner: Runner, *, keep_alive: float, reusable: bool) -> None:
        """Do what `give_back` does, while the caller goes on; the next `take` waits for it."""
        self._in_background(self._give_back(runner, keep_alive, reusable=reusable))

    async def replace(self, runner: Runner) -> Runner:
        """End a runner after its job and start another one in its place, for the same model.

        Raises OSError where none can be started; then the ended runner still has to be given back.
        """
        await self._finish(runner.end(grace=0))
        fresh = self._new_runner()
        self._busy[fresh] = _PooledRunner(fresh, self._busy[runner].models[-1:])
        try:
            await fresh.start(self._repository, models=self.config.max_models)
        except BaseException:
            await self._finish(fresh.end(grace=0))
            del self._busy[fresh]
            raise
        del self._busy[runner]
        _log.debug("Runner %d started.", fresh.pid)
        return fresh

    async def dismiss(self, runner: Runner, *, keep_alive: float) -> None:
        """End the job of a runner, and the runner too if it does not obey; then take it back."""
        await self._finish(self._dismiss(runner, keep_alive))

    async def stats(self) -> PoolStats:
        """Look at the runners, off the event loop."""
        busy, idle = [*self._busy], [pooled.runner for pooled in self._idle]
        pooled = (*self._busy.values(), *self._idle)
        models = frozenset(model for one in pooled for model in one.models)

        def weigh() -> int:
            return sum(runner.memory() or 0 for runner in (*busy, *idle))

        memory = await asyncio.to_thread(weigh)
        return PoolStats(len(busy), len(idle), memory, models)

    async def unload(self) -> None:
        """End the idle runners."""
        idle, self._idle = self._idle, []
        for pooled in idle:
            _cancel(pooled)
        await asyncio.gather(*(pooled.runner.end(grace=self._grace) for pooled in idle))

    async def close(self) -> None:
        """End all runners."""
        ends = (runner.end(grace=self._grace) for runner in self._busy)
        await asyncio.gather(self.unload(), *ends, *self._ending)

    def _new_runner(self) -> Runner:
        return Runner(stderr_tail=self._stderr_tail, owner=self.config.owner)

    async def _start(self, runner: Runner) -> None:
        try:
            await runner.start(self._repository, models=self.config.max_models)
        except BaseException:
            await self.give_back(runner, keep_alive=0, reusable=False)
            raise
        _log.debug("Runner %d started.", runner.pid)

    def _choose(self, model: str) -> _PooledRunner | None:
        for pooled in [pooled for pooled in self._idle if not pooled.runner.alive]:
            _cancel(pooled)
            self._expire(pooled)
        if not self._idle:
            return None
        holders = [pooled for pooled in self._idle if model in pooled.models]
        chosen = holders[-1] if holders else min(self._idle, key=lambda one: len(one.models))
        self._idle.remove(chosen)
        _cancel(chosen)
        return chosen

    async def _give_back(self, runner: Runner, keep_alive: float, *, reusable: bool) -> None:
        try:
            memory = runner.memory() or 0
            limit = self.config.max_memory
            stays = reusable and keep_alive != 0 and not 0 < limit < memory
            if stays:
                await runner.settle()
            _log.debug("Runner %d holds %d MiB after its job.", runner.pid, memory // _MIB)
            if stays and runner.reusable:
                self._rest(self._busy[runner], keep_alive)
            else:
                await runner.end(grace=0)
                _log.debug("Runner %d ended.", runner.pid)
        finally:
            del self._busy[runner]
            self._permits.release()

    async def _dismiss(self, runner: Runner, keep_alive: float) -> None:
        if keep_alive != 0 and runner.result is None:
            runner.interrupt()
            await runner.wait(INTERRUPT_GRACE)
        elif runner.result is None:
            await runner.end(grace=self._grace)
        await self._give_back(runner, keep_alive, reusable=runner.reusable)

    def _rest(self, pooled: _PooledRunner, keep_alive: float) -> None:
        self._idle.append(pooled)
        if keep_alive > 0:
            loop = asyncio.get_running_loop()
            pooled.expiry = loop.call_later(keep_alive, self._expire, pooled)

    def _expire(self, pooled: _PooledRunner) -> None:
        if pooled in self._idle:
            self._idle.remove(pooled)
            _log.debug("Runner %d ends.", pooled.runner.pid)
            self._in_background(pooled.runner.end(grace=0))

    async def _finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something to its end even if the caller is cancelled meanwhile."""
        await until_done(self._in_background(work))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


def _cancel(pooled: _PooledRunner) -> None:
    if pooled.expiry:
        pooled.expiry.cancel()
        pooled.expiry = None
