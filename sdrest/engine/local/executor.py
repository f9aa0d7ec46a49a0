"""Runs tasks on this machine, each in a host process that may have served others before."""

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from sdrest import pictures
from sdrest.engine.base import Event, Finished, Started, Task
from sdrest.engine.local import links
from sdrest.engine.local.failures import not_started
from sdrest.engine.local.pool import Pool, PoolConfig, PoolStats
from sdrest.engine.local.preload import preload
from sdrest.engine.local.process import GRACE
from sdrest.engine.local.repository import Repository, problem
from sdrest.engine.local.runner import Runner
from sdrest.engine.local.scripts import Invocation, plan
from sdrest.engine.local.task_run import TaskRun, UnreadableImageError
from sdrest.engine.local.verdict import failure_of, was_signalled
from sdrest.errors import Failure, FailureCode

_log = logging.getLogger(__name__)

_LASTING = {
    FailureCode.IMPORT_FAILED,
    FailureCode.KILLED,
    FailureCode.OUT_OF_MEMORY,
    FailureCode.PYTHON_MISSING,
}
"""Failures whose cause may stay in the host: the next task gets another one."""

_EXTERNAL = {
    FailureCode.MODEL_INVALID,
    FailureCode.MODEL_MISSING,
    FailureCode.STORAGE_FAILED,
}
"""Failures whose cause is a file or a disk: a fresh process would fail too."""

_AGAIN = "again"
"""The folder in a task's workdir where it runs again in a fresh process."""


class LocalExecutor:
    """An `Executor` over host processes on this machine.

    `config` says how many there are and what stays in them between tasks: by default nothing. A
    failure keeps the last lines out of at most `stderr_tail` bytes of a script's stderr. A script
    that is to end has `grace` seconds after SIGTERM. With `metadata` images tell how they were
    made (`sdrest.metadata`); else those of a prompt are the script's files as they are.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        config: PoolConfig | None = None,
        stderr_tail: int = 65536,
        grace: float = GRACE,
        metadata: bool = False,
    ) -> None:
        self._repository = repository
        self._metadata = metadata
        self._pool_config = config or PoolConfig()
        self._pool = Pool(repository, self._pool_config, stderr_tail=stderr_tail, grace=grace)
        self._preloading: asyncio.Task[None] | None = None

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task; see `Executor.run`."""
        prepared = await asyncio.to_thread(_prepare, task, self._repository)
        if isinstance(prepared, Failure):
            yield Finished(prepared)
            return
        try:
            async with aclosing(self._run(task, prepared)) as events:
                async for event in events:
                    yield event
        finally:
            links.clear(prepared)

    async def _run(self, task: Task, prepared: Invocation) -> AsyncGenerator[Event, None]:
        model = self._repository.model(task.params.type) if self._metadata else None
        run = TaskRun(task, prepared, model)
        keep_alive = task.params.keep_alive
        if keep_alive is None:
            keep_alive = self._pool_config.keep_alive
        try:
            runner = await self._hand_over(run, prepared)
        except OSError as error:
            yield Finished(not_started(error))
            return
        lease = _Lease(runner)
        try:
            yield Started(runner.pid, warm=runner.submitted > 1)
            async with aclosing(self._watch(run, lease)) as events:
                async for event in events:
                    yield event
            lease.is_over = True
            sound = lease.failure is None or lease.failure.code not in _LASTING
            self._pool.let_go(lease.runner, keep_alive=keep_alive, reusable=sound)
            yield Finished(lease.failure, run.peak, lease.signalled)
        except UnreadableImageError as error:
            lease.is_over = True
            await self._pool.dismiss(lease.runner, keep_alive=keep_alive)
            yield Finished(_cannot_write(error.__cause__), run.peak)
        finally:
            if not lease.is_over:
                await self._pool.dismiss(lease.runner, keep_alive=keep_alive)
            if lease.again:
                links.clear(lease.again)

    def preload(self) -> None:
        """Start a host and load the text-to-image model, while tasks wait; a failure is logged."""
        self._preloading = asyncio.create_task(
            preload(self._pool, self._repository, keep_alive=self._pool_config.keep_alive)
        )

    async def stats(self) -> PoolStats:
        """Return how many hosts there are, and what they hold."""
        return await self._pool.stats()

    async def close(self) -> None:
        """End every process that is still there."""
        if self._preloading:
            self._preloading.cancel()
        await self._pool.close()

    async def _watch(self, run: TaskRun, lease: "_Lease") -> AsyncGenerator[Event, None]:
        """Yield the events of a task that was handed over, and note why it failed, if it did.

        Where earlier jobs of the host may be the reason, the task runs again in a fresh one.
        """
        async with aclosing(run.events(lease.runner)) as events:
            async for event in events:
                yield event
        await self._judge(run, lease)
        if lease.failure and not lease.signalled and _may_be_due_to(lease.runner, lease.failure):
            _log.debug("Host %d failed; its job runs again in a fresh one.", lease.runner.pid)
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
        lease.failure, lease.signalled = None, False
        if run.complete or result is None:
            return
        lease.signalled = was_signalled(runner, result)
        judge = partial(failure_of, runner, result, run.task, self._repository)
        lease.failure = await asyncio.to_thread(judge, images=run.images_ready, loaded=run.loaded)

    async def _start_again(self, run: TaskRun, lease: "_Lease") -> Failure | None:
        """Hand a task over to a fresh host in place of its own; return why that cannot be done."""
        task = replace(run.task, workdir=run.task.workdir / _AGAIN)
        prepared = await asyncio.to_thread(_prepare, task, self._repository)
        if isinstance(prepared, Failure):
            return prepared
        try:
            lease.runner = await self._pool.replace(lease.runner)
        except OSError as error:
            return not_started(error)
        lease.again = prepared
        run.restart(task, prepared)
        lease.runner.submit(
            prepared, self._repository, on_stderr=run.receive_stderr, on_change=run.wake
        )
        return None

    async def _hand_over(self, run: TaskRun, invocation: Invocation) -> Runner:
        """Give the task to a host. One that was idle may have died, or have old code: to the next.

        Raises OSError where no host can be started.
        """
        while True:
            runner = await self._pool.take(self._repository.model(run.task.params.type))
            first = runner.submitted == 0
            try:
                runner.submit(
                    invocation, self._repository, on_stderr=run.receive_stderr, on_change=run.wake
                )
                while not (first or runner.accepted) and runner.result is None:
                    await run.wait()
            except BaseException:
                await self._pool.dismiss(runner, keep_alive=0)
                raise
            if first or runner.accepted:
                return runner
            await self._pool.give_back(runner, keep_alive=0, reusable=False)


@dataclass(slots=True)
class _Lease:
    """The host that a task has, until the task is over, and why the task failed.

    `signalled` is that of `Finished`; `again` is the second run of the task, if there is one.
    """

    runner: Runner
    again: Invocation | None = None
    failure: Failure | None = None
    signalled: bool = False
    is_over: bool = False


def _may_be_due_to(runner: Runner, failure: Failure) -> bool:
    """Whether earlier jobs of the host may be why this one failed.

    Not where the script itself chose to end, nor where the cause lies outside of the process.
    """
    if runner.submitted == 1 or failure.code in _EXTERNAL:
        return False
    return not runner.returned


def _prepare(task: Task, repository: Repository) -> Invocation | Failure:
    """Look for what is missing, and lay out the workdir: pictures that fit the script, links."""
    failure = problem(repository, task.params.type)
    if failure:
        return failure
    invocation = plan(task, repository)
    try:
        if invocation.inputs and task.image:
            invocation.inputs.mkdir(parents=True)
            pictures.script_input(task.image, task.mask, invocation.inputs)
        return links.lay_out(invocation)
    except OSError as error:
        return _cannot_write(error)


def _cannot_write(error: BaseException | None) -> Failure:
    reason = getattr(error, "strerror", None) or "no picture"
    full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    remedy = (
        "Make room on the disk of the output folder"
        if full
        else "See that the output folder can be written, and what `sdrest doctor` says of it"
    )
    return Failure(
        FailureCode.STORAGE_FAILED,
        f"The pictures of the task could not be read or written ({reason}). {remedy}.",
    )
