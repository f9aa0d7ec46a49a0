"""One task while its script runs: bars and files become events, in one order."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from sdrest import metadata, pictures
from sdrest.cancellation import until_done
from sdrest.engine.base import Event, ImageReady, Progress, Task
from sdrest.engine.local.outdir import OutDir, open_image
from sdrest.engine.local.progress import ProgressParser
from sdrest.engine.local.runner import Runner
from sdrest.engine.local.scripts import Invocation

_log = logging.getLogger(__name__)

POLL = 0.05
"""Seconds between two looks for complete images while a script says nothing."""

WEIGHING = 0.5
"""Seconds between two looks at the memory of a host."""


class UnreadableImageError(Exception):
    """A complete file that is not a picture, or cannot be made into the result; see its cause."""


class TaskRun:
    """One task on its way: puts positions and images into one order of events.

    `model` is the checkpoint that images shall name, or None if they shall tell nothing.
    """

    def __init__(self, task: Task, invocation: Invocation, model: Path | None) -> None:
        self._model = model
        self.peak: int | None = None
        self._weighed = 0.0
        self._changed = asyncio.Event()
        self._shown = Progress(1, -1.0)
        self._reported = 0
        self.restart(task, invocation)

    def restart(self, task: Task, invocation: Invocation) -> None:
        """Watch the task from its beginning, in another workdir.

        What was reported is not reported again.
        """
        self.task = task
        self._parser = ProgressParser(
            batches=invocation.batches,
            batch_size=invocation.batch_size,
            outer=invocation.outer_bar,
        )
        self._images = OutDir(invocation.images)
        self._positions: list[Progress] = []
        self.loaded = False
        """Whether the script has drawn a bar."""

    @property
    def images_ready(self) -> int:
        """How many images are complete."""
        return self._images.ready

    @property
    def complete(self) -> bool:
        """Whether all images are."""
        return not self._images.missing

    async def events(self, runner: Runner) -> AsyncGenerator[Event, None]:
        """Yield the events of the host's job until its script has ended and all is told."""
        while runner.result is None:
            await self.wait()
            self.weigh(runner)
            for event in await self.news(runner):
                yield event
        self.weigh(runner)
        await runner.settle()
        for event in await self.news(runner):
            yield event

    def weigh(self, runner: Runner) -> None:
        """Look at the memory of the task's host, but not all the time."""
        now = time.monotonic()
        if runner.result is None and now < self._weighed + WEIGHING:
            return
        self._weighed = now
        memory = runner.memory()
        if memory is not None:
            self.peak = max(memory, self.peak or 0)

    def receive_stderr(self, data: bytes) -> None:
        """Take what the script wrote."""
        self.task.heard()
        self._positions += self._parser.feed(data)
        self.loaded = self.loaded or bool(self._positions)

    def wake(self) -> None:
        """End `wait`."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until there may be news."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._changed.wait()
        self._changed.clear()

    async def news(self, runner: Runner) -> list[Event]:
        """Return what has come since the last call.

        An image comes before every position beyond it, and it alone brings the position 1.0: who
        sees that an image is done can fetch it.
        """
        positions, self._positions = self._positions, []
        number = self._images.ready
        images = self._images.poll()
        if images:
            runner.listen()  # what the safety checker replaced is told before the image is written
        news: list[Event] = []
        for position in positions:
            while images and number + 1 < position.index:
                number += 1
                news += await self._image(number, images.pop(0), runner)
            if position.fraction < 1:
                news += self._position(position)
        for path in images:
            number += 1
            news += await self._image(number, path, runner)
        return news

    async def _image(self, number: int, path: Path, runner: Runner) -> list[Event]:
        """Finish an image; what is begun is done before the run ends, so the workdir is at rest."""
        if number <= self._reported:
            return []
        if self._model or self.task.mask:
            work = asyncio.to_thread(_finish, self.task, number, path, self._model)
            try:
                path = await until_done(asyncio.create_task(work))
            except (OSError, pictures.PictureError, ValueError) as error:
                raise UnreadableImageError from error
        self._reported = number
        ready = ImageReady(number, path, flagged=number in runner.flagged)
        return [ready, *self._position(Progress(number, 1.0))]

    def _position(self, position: Progress) -> list[Event]:
        shown = self._shown
        if (position.index, position.fraction) <= (shown.index, shown.fraction):
            return []
        self._shown = position
        return [position]


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
    info = metadata.GenerationInfo(task.params, task.seed, number, model, task.id)
    try:
        with os.fdopen(open_image(path), "rb") as source, told.open("xb") as target:
            metadata.embed(info, source, target)
    except (OSError, ValueError) as error:
        _log.warning("Image %d has no metadata: %s", number, error)
        with contextlib.suppress(OSError):
            told.unlink()  # what there is of it takes room
        return path
    with contextlib.suppress(OSError):
        path.unlink()  # room for the next one
    return told
