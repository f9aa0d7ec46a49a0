"""Run tasks on this machine, each in a runner that may have served others before."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from sdrest.engine.base import (
    Event,
    Finished,
    Health,
    OneMachine,
    PoolStats,
    Requeue,
    Started,
    Task,
)
from sdrest.engine.local import links
from sdrest.engine.local.failures.classify import not_started
from sdrest.engine.local.failures.verdict import failure_of, was_signalled
from sdrest.engine.local.invocation import Invocation
from sdrest.engine.local.pool import Pool, PoolConfig
from sdrest.engine.local.preload import preload
from sdrest.engine.local.preparation import prepare
from sdrest.engine.local.process import GRACE
from sdrest.engine.local.repository import Repository, problem
from sdrest.engine.local.runner import Runner
from sdrest.engine.local.task_run import TaskRun
from sdrest.engine.runner.attention import EXACT, FAST
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType

_log = logging.getLogger(__name__)

_LASTING = {
    FailureCode.IMPORT_FAILED,
    FailureCode.KILLED,
    FailureCode.OUT_OF_MEMORY,
    FailureCode.PYTHON_MISSING,
}
"""Failures whose cause may stay in the runner: the next task gets another one."""

_EXTERNAL = {
    FailureCode.MODEL_INVALID,
    FailureCode.MODEL_MISSING,
    FailureCode.STORAGE_FAILED,
}
"""Failures whose cause is a file or a disk: a fresh process would fail too."""

_NO_FAST_ATTENTION = (
    "--attention fast needs PyTorch 2.0 or later in the repository's Python: the scripts computed "
    "attention themselves."
)

_AGAIN = "again"
"""The folder in a task's workdir where it runs again in a fresh process."""


class LocalExecutor(OneMachine):
    """An `Executor` over runners on this machine.

    `config` says how many there are and what stays in them between tasks: by default nothing.
    `attention` is `auto`, `exact` or `fast`, as in `engine.runner.attention`. A failure keeps the
    last lines out of at most `stderr_tail` bytes of a script's stderr. A script that has to end
    gets `grace` seconds after SIGTERM.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        config: PoolConfig | None = None,
        attention: str = EXACT,
        stderr_tail: int = 65536,
        grace: float = GRACE,
    ) -> None:
        self._repository = repository
        self._attention = attention
        self._pool_config = config or PoolConfig()
        self._pool = Pool(repository, self._pool_config, stderr_tail=stderr_tail, grace=grace)
        self._preloading: asyncio.Task[None] | None = None
        self._device = "cpu" if repository.bundled else ""

    @property
    def capacity(self) -> int:
        """How many tasks it runs at once: that never changes."""
        return self._pool_config.concurrency

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task; see `Executor.run`."""
        prepared = await asyncio.to_thread(prepare, task, self._repository, self._attention)
        if isinstance(prepared, Failure):
            yield Finished(prepared)
            return
        try:
            async with aclosing(self._run(task, prepared)) as events:
                async for event in events:
                    yield event
        finally:
            links.clear(prepared)

    async def health(self) -> Health:
        """Look for missing or wrong scripts, models and Python."""
        types = list(JobType)
        found = await asyncio.to_thread(lambda: [problem(self._repository, one) for one in types])
        problems = {one: failure for one, failure in zip(types, found, strict=True) if failure}
        return Health(problems, bundled=self._repository.bundled)

    async def stats(self) -> PoolStats:
        """Count the runners and their memory."""
        return replace(await self._pool.stats(), device=self._device)

    def preload(self) -> None:
        """Start to load the text-to-image model, in the background; a failure is logged.

        Does nothing while it is being loaded.
        """
        if self._preloading and not self._preloading.done():
            return
        self._preloading = asyncio.create_task(
            preload(self._pool, self._repository, keep_alive=self._pool_config.keep_alive)
        )

    async def unload(self) -> None:
        """End the runners that run no script."""
        await self._pool.unload()

    async def close(self) -> None:
        """End every process that is still there."""
        if self._preloading:
            self._preloading.cancel()
        await self._pool.close()

    async def _run(self, task: Task, prepared: Invocation) -> AsyncGenerator[Event, None]:
        run = TaskRun(task, prepared)
        keep_alive = task.params.keep_alive
        if keep_alive is None:
            keep_alive = self._pool_config.keep_alive
        try:
            runner = await self._take_runner(run, prepared)
        except OSError as error:
            yield Finished(not_started(error))
            return
        lease = _Lease(runner)
        try:
            yield Started(
                prepared.checkpoint.name, runner=str(runner.pid), warm=runner.submitted > 1
            )
            async with aclosing(self._watch(run, lease)) as events:
                async for event in events:
                    yield event
            lease.is_over = True
            self._note_attention(lease.runner)
            reusable = lease.failure is None or lease.failure.code not in _LASTING
            self._pool.let_go(lease.runner, keep_alive=keep_alive, reusable=reusable)
            yield Finished(lease.failure, run.peak_rss, lease.requeue)
        finally:
            if not lease.is_over:
                await self._pool.dismiss(lease.runner, keep_alive=keep_alive)
            if lease.again:
                links.clear(lease.again)

    async def _watch(self, run: TaskRun, lease: "_Lease") -> AsyncGenerator[Event, None]:
        """Yield the events of a submitted task, and note why it failed, if it did.

        Where earlier jobs of the runner may be the reason, the task runs again in a fresh one.
        """
        async with aclosing(run.events(lease.runner)) as events:
            async for event in events:
                yield event
        await self._judge(run, lease)
        if lease.failure is None or lease.requeue is not Requeue.NO:
            return
        if _may_be_due_to(lease.runner, lease.failure):
            _log.debug("Runner %d failed; its job runs again in a fresh one.", lease.runner.pid)
            lease.failure = await self._start_again(run, lease)
            if lease.failure:
                return
            async with aclosing(run.events(lease.runner)) as events:
                async for event in events:
                    yield event
            await self._judge(run, lease)

    async def _judge(self, run: TaskRun, lease: "_Lease") -> None:
        """Note why a script that has ended failed; nothing where all images are there."""
        runner, result = lease.runner, lease.runner.result
        lease.failure, lease.requeue = None, Requeue.NO
        if run.complete or result is None:
            return
        if was_signalled(runner, result):
            lease.requeue = Requeue.IF_STOPPING
        judge = partial(failure_of, runner, result, run.task, self._repository, run.checkpoint)
        lease.failure = await asyncio.to_thread(
            judge, config=self._pool_config, images=run.images_ready, loaded=run.loaded
        )

    async def _start_again(self, run: TaskRun, lease: "_Lease") -> Failure | None:
        """Submit a task to a fresh runner in place of its own; return why that cannot be done."""
        task = replace(run.task, workdir=run.task.workdir / _AGAIN)
        prepared = await asyncio.to_thread(prepare, task, self._repository, self._attention)
        if isinstance(prepared, Failure):
            return prepared
        try:
            lease.runner = await self._pool.replace(lease.runner)
        except OSError as error:
            return not_started(error)
        lease.again = prepared
        run.restart(task, prepared)
        self._submit(run, prepared, lease.runner)
        return None

    def _note_attention(self, runner: Runner) -> None:
        self._device = runner.device or self._device
        if runner.attention:
            _log.debug("Runner %d: the attention was %s.", runner.pid, runner.attention)
        if self._attention == FAST and runner.attention == EXACT:
            _log.warning(_NO_FAST_ATTENTION)

    async def _take_runner(self, run: TaskRun, invocation: Invocation) -> Runner:
        """Submit the task to a runner; to the next one where that has died, or has old code.

        Raises OSError where no runner can be started.
        """
        while True:
            runner = await self._pool.take(invocation.checkpoint)
            first = runner.submitted == 0
            try:
                self._submit(run, invocation, runner)
                while not (first or runner.accepted) and runner.result is None:
                    await run.wait()
            except BaseException:
                await self._pool.dismiss(runner, keep_alive=0)
                raise
            if first or runner.accepted:
                return runner
            await self._pool.give_back(runner, keep_alive=0, reusable=False)

    def _submit(self, run: TaskRun, invocation: Invocation, runner: Runner) -> None:
        runner.submit(
            invocation,
            self._repository,
            on_stderr=run.receive_stderr,
            on_change=run.wake,
            on_preview=run.receive_preview,
        )


@dataclass(slots=True)
class _Lease:
    """The runner that a task has, until the task is over, and why the task failed.

    `requeue` is that of `Finished`; `again` is the second run of the task, if there is one.
    """

    runner: Runner
    again: Invocation | None = None
    failure: Failure | None = None
    requeue: Requeue = Requeue.NO
    is_over: bool = False


def _may_be_due_to(runner: Runner, failure: Failure) -> bool:
    """Whether earlier jobs of the runner may be why this one failed.

    Not where the script itself chose to end, nor where the cause is outside of the process.
    """
    if runner.submitted == 1 or failure.code in _EXTERNAL:
        return False
    return not runner.returned
