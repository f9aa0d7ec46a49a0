"""Run a task on any executor: what holds for all of them, on this machine or elsewhere.

Images get the size that was sent and their metadata, progress never goes back, and the end of a
run takes a bounded time.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

from sdrest import metadata, pictures
from sdrest.cancellation import until_done
from sdrest.engine.base import Event, Executor, Finished, ImageReady, Progress, Started, Task
from sdrest.errors import Failure, picture_failure
from sdrest.params import TextToImage
from sdrest.paths import open_no_follow

END_SECONDS = 30.0
"""Seconds that an executor has to end a run; then the run goes on without waiting for it."""

_log = logging.getLogger(__name__)

_unended: set[asyncio.Task[None]] = set()


async def execute(
    executor: Executor,
    task: Task,
    *,
    folder: Path,
    with_metadata: bool,
    end_seconds: float = END_SECONDS,
) -> AsyncGenerator[Event, None]:
    """Yield the events of a task; see `Executor.run`.

    Finished images are in `folder`, which is not the task's `workdir`, or in that. Each brings the
    progress 1.0 of its index, which no bar can: a client that sees it can fetch the image.
    """
    order, model = ForwardOnly(), Path()
    async with aclosing(_bounded(executor.run(task), end_seconds)) as events:
        async for event in events:
            if isinstance(event, Progress):
                if event.fraction < 1 and order.passes(event):
                    yield event
                continue
            if isinstance(event, Started):
                model = Path(event.model)
            if not isinstance(event, ImageReady):
                yield event
                continue
            info = metadata.GenerationInfo(
                task.params,
                task.seed,
                event.index,
                model,
                task.id,
                flagged=event.flagged,
                attention=event.attention,
            )
            path = await _finish_image(task, event, folder, info if with_metadata else None)
            if isinstance(path, Failure):
                yield Finished(path)
                return
            yield replace(event, path=path)
            done = Progress(event.index, 1.0)
            if order.passes(done):
                yield done


class ForwardOnly:
    """The rule that progress never goes back."""

    def __init__(self) -> None:
        self._last = (1, -1.0)

    def passes(self, progress: Progress) -> bool:
        """Return whether `progress` is beyond all that passed before."""
        reached = progress.index, progress.fraction
        if reached <= self._last:
            return False
        self._last = reached
        return True


async def _bounded(
    events: AsyncGenerator[Event, None], end_seconds: float
) -> AsyncGenerator[Event, None]:
    """Yield `events`; closing this generator takes `end_seconds` at most.

    One task of its own consumes `events`, since their generator may not return from its closing.
    It goes on when the event before was dealt with, like any generator.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue()
    go_on = asyncio.Event()

    async def consume() -> None:
        async with aclosing(events):
            async for event in events:
                queue.put_nowait(event)
                await go_on.wait()
                go_on.clear()
                if isinstance(event, Finished):
                    return  # its generator is closed, whatever it would do next

    consuming = asyncio.create_task(consume())
    consuming.add_done_callback(lambda _: queue.put_nowait(None))
    finished = False
    try:
        while (event := await queue.get()) is not None:
            finished = isinstance(event, Finished)
            yield event
            go_on.set()
        await consuming
    finally:
        if not consuming.done():
            if finished:
                go_on.set()
            else:
                consuming.cancel()
            _unended.add(consuming)
            consuming.add_done_callback(_unended.discard)
            ending = asyncio.wait({consuming}, timeout=end_seconds)
            await until_done(asyncio.create_task(ending))
            if not consuming.done():
                consuming.cancel()
                _log.error("The executor did not end a run within %g seconds.", end_seconds)


async def _finish_image(
    task: Task, ready: ImageReady, folder: Path, info: metadata.GenerationInfo | None
) -> Path | Failure:
    """Make the image that a client gets: in the size that was sent, with metadata if `info` is.

    Work that has begun is done to its end, so that `folder` is at rest after a cancellation.
    """
    if info is None and task.mask is None:
        return ready.path

    def finish() -> Path:
        path = ready.path
        if task.image and task.mask:
            path = folder / f"{ready.index}.restored"
            feather = 0 if isinstance(task.params, TextToImage) else task.params.feather
            pictures.restore_outside(ready.path, task.image, task.mask, path, feather=feather)
        return _embed_metadata(info, path, folder / f"{ready.index}.png") if info else path

    try:
        return await until_done(asyncio.create_task(asyncio.to_thread(finish)))
    except (OSError, pictures.PictureError, ValueError) as error:
        return picture_failure(error)


def _embed_metadata(info: metadata.GenerationInfo, path: Path, target: Path) -> Path:
    """Copy an image to `target`, with metadata; return `path` where that cannot be done."""
    try:
        with os.fdopen(open_no_follow(path), "rb") as source, target.open("xb") as copy:
            metadata.embed(info, source, copy)
    except (OSError, ValueError) as error:
        _log.warning("Image %d has no metadata: %s", info.number, error)
        with contextlib.suppress(OSError):
            target.unlink()  # an incomplete copy takes room
        return path
    with contextlib.suppress(OSError):
        path.unlink()  # room for the next one
    return target
