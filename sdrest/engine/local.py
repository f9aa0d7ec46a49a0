"""Runs tasks on this machine, each in a host process that may have served others before."""

import asyncio
import contextlib
import errno
import logging
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from sdrest import metadata, pictures
from sdrest.engine import links
from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.engine.failures import not_started
from sdrest.engine.hosts import Host
from sdrest.engine.outdir import OutDir, open_image
from sdrest.engine.pool import Keeping, Occupancy, Pool
from sdrest.engine.preload import preload
from sdrest.engine.process import GRACE, until_done
from sdrest.engine.progress import ProgressParser
from sdrest.engine.repository import Repository, problem
from sdrest.engine.scripts import Invocation, plan
from sdrest.engine.verdict import failure_of
from sdrest.errors import Failure, FailureCode

_log = logging.getLogger(__name__)

POLL = 0.05
"""Seconds between two looks for complete images while a script says nothing."""

WEIGHING = 0.5
"""Seconds between two looks at the memory of a host."""

_LASTING = {
    FailureCode.IMPORT_FAILED,
    FailureCode.KILLED,
    FailureCode.OUT_OF_MEMORY,
    FailureCode.PYTHON_MISSING,
}
"""Failures whose cause may stay in the host: the next task gets another one."""


class LocalExecutor:
    """An `Executor` over host processes on this machine.

    `keeping` says how many there are and what stays in them between tasks: by default nothing. A
    failure keeps the last lines out of at most `stderr_tail` bytes of a script's stderr. A script
    that is to end has `grace` seconds after SIGTERM. With `metadata` images tell how they were
    made (`sdrest.metadata`); else those of a prompt are the script's files as they are.
    """

    def __init__(
        self,
        repository: Repository,
        *,
        keeping: Keeping | None = None,
        stderr_tail: int = 65536,
        grace: float = GRACE,
        metadata: bool = False,
    ) -> None:
        self._repository = repository
        self._metadata = metadata
        self._keeping = keeping or Keeping()
        self._pool = Pool(repository, self._keeping, stderr_tail=stderr_tail, grace=grace)
        self._preloading: asyncio.Task[None] | None = None

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task; see `Executor.run`."""
        prepared = await asyncio.to_thread(_prepare, task, self._repository)
        if isinstance(prepared, Failure):
            yield Finished(prepared)
            return
        try:
            async with contextlib.aclosing(self._run(task, prepared)) as events:
                async for event in events:
                    yield event
        finally:
            links.clear(prepared)

    async def _run(self, task: Task, prepared: Invocation) -> AsyncGenerator[Event, None]:
        model = self._repository.model(task.params.type) if self._metadata else None
        run = _Run(task, prepared, model)
        keep_alive = task.params.keep_alive
        if keep_alive is None:
            keep_alive = self._keeping.keep_alive
        try:
            host = await self._hand_over(run, prepared)
        except OSError as error:
            yield Finished(not_started(error))
            return
        taken = True
        try:
            yield Started(host.pid, warm=host.submitted > 1)
            while host.result is None:
                await run.wait()
                run.weigh(host)
                for event in await run.news():
                    yield event
            result = host.result
            run.weigh(host)
            await host.settle()
            for event in await run.news():
                yield event
            failure = None
            if not run.complete:
                failure = failure_of(host, result, task, self._repository, images=run.images_ready)
            taken = False
            sound = failure is None or failure.code not in _LASTING
            self._pool.let_go(host, keep_alive=keep_alive, reusable=sound)
            yield Finished(failure, run.peak)
        except _UnreadableImageError as error:
            taken = False
            await self._pool.dismiss(host, keep_alive=keep_alive)
            yield Finished(error.failure, run.peak)
        finally:
            if taken:
                await self._pool.dismiss(host, keep_alive=keep_alive)

    def preload(self) -> None:
        """Start a host and load the text-to-image model, while tasks wait; a failure is logged."""
        self._preloading = asyncio.create_task(
            preload(self._pool, self._repository, keep_alive=self._keeping.keep_alive)
        )

    async def occupancy(self) -> Occupancy:
        """Return how many hosts there are, and what they hold."""
        return await self._pool.occupancy()

    async def close(self) -> None:
        """End every process that is still there."""
        if self._preloading:
            self._preloading.cancel()
        await self._pool.close()

    async def _hand_over(self, run: "_Run", invocation: Invocation) -> Host:
        """Give the task to a host. One that was idle may have died, or have old code: to the next.

        Raises OSError where no host can be started.
        """
        while True:
            host = await self._pool.take(self._repository.model(run.task.params.type))
            first = host.submitted == 0
            try:
                host.submit(
                    invocation, self._repository, on_stderr=run.receive_stderr, on_change=run.wake
                )
                while not (first or host.accepted) and host.result is None:
                    await run.wait()
            except BaseException:
                await self._pool.dismiss(host, keep_alive=0)
                raise
            if first or host.accepted:
                return host
            await self._pool.give_back(host, keep_alive=0, reusable=False)


class _UnreadableImageError(Exception):
    """A complete file that is no picture, or cannot be made into the result."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


class _Run:
    """One task on its way: puts positions and images into one order of events.

    `model` is the checkpoint that images shall name, or None if they shall tell nothing.
    """

    def __init__(self, task: Task, invocation: Invocation, model: Path | None) -> None:
        self.task = task
        self._model = model
        self.peak: int | None = None
        self._weighed = 0.0
        self._parser = ProgressParser(
            batches=invocation.batches,
            batch_size=invocation.batch_size,
            outer=invocation.outer_bar,
        )
        self._images = OutDir(invocation.images)
        self._changed = asyncio.Event()
        self._positions: list[Progress] = []
        self._shown = Progress(1, -1.0)

    @property
    def images_ready(self) -> int:
        """How many images are complete."""
        return self._images.ready

    @property
    def complete(self) -> bool:
        """Whether all images are."""
        return not self._images.missing

    def weigh(self, host: Host) -> None:
        """Look at the memory of the task's host, but not all the time."""
        now = time.monotonic()
        if host.result is None and now < self._weighed + WEIGHING:
            return
        self._weighed = now
        memory = host.memory()
        if memory is not None:
            self.peak = max(memory, self.peak or 0)

    def receive_stderr(self, data: bytes) -> None:
        """Take what the script wrote."""
        self.task.heard()
        self._positions += self._parser.feed(data)

    def wake(self) -> None:
        """End `wait`."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until there may be news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._changed.wait()
        self._changed.clear()

    async def news(self) -> list[Event]:
        """Return what has come since the last call.

        An image comes before every position beyond it, and it alone brings the position 1.0: who
        sees that an image is done can fetch it.
        """
        positions, self._positions = self._positions, []
        number = self._images.ready
        images = self._images.poll()
        news: list[Event] = []
        for position in positions:
            while images and number + 1 < position.index:
                number += 1
                news += await self._image(number, images.pop(0))
            if position.fraction < 1:
                news += self._position(position)
        for path in images:
            number += 1
            news += await self._image(number, path)
        return news

    async def _image(self, number: int, path: Path) -> list[Event]:
        """Finish an image; what is begun is done before the run ends, so the workdir is at rest."""
        if self._model or self.task.mask:
            work = asyncio.to_thread(_finish, self.task, number, path, self._model)
            try:
                path = await until_done(asyncio.create_task(work))
            except (OSError, pictures.PictureError, ValueError) as error:
                raise _UnreadableImageError(_cannot_write(error)) from error
        return [ImageReady(number, path), *self._position(Progress(number, 1.0))]

    def _position(self, position: Progress) -> list[Event]:
        shown = self._shown
        if (position.index, position.fraction) <= (shown.index, shown.fraction):
            return []
        self._shown = position
        return [position]


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


def _finish(task: Task, number: int, path: Path, model: Path | None) -> Path:
    """Return the image that a client gets: in the size that was sent, with its metadata."""
    if task.image and task.mask:
        restored = task.workdir / f"{number}.restored"
        pictures.restore_inpainted(path, task.image, task.mask, restored)
        path = restored
    return _tell(task, number, path, model) if model else path


def _tell(task: Task, number: int, path: Path, model: Path) -> Path:
    """Return a copy with metadata; where that cannot be made, the image that tells nothing."""
    told = task.workdir / f"{number}.png"
    making = metadata.Making(task.params, task.seed, number, model, task.id)
    try:
        with os.fdopen(open_image(path), "rb") as source, told.open("xb") as target:
            metadata.embed(making, source, target)
    except (OSError, ValueError) as error:
        _log.warning("Image %d has no metadata: %s", number, error)
        with contextlib.suppress(OSError):
            told.unlink()  # what there is of it takes room
        return path
    with contextlib.suppress(OSError):
        path.unlink()  # room for the next one
    return told


def _cannot_write(error: Exception) -> Failure:
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
