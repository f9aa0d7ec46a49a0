"""One task while its script runs: bars and files become events, in one order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from sdrest.engine.base import Event, ImageReady, Output, Preview, Progress, Task
from sdrest.engine.local.invocation import Invocation
from sdrest.engine.local.outdir import OutDir
from sdrest.engine.local.progress import ProgressParser
from sdrest.engine.local.runner import Runner

POLL_SECONDS = 0.05
"""Seconds between checks for complete images while a script writes nothing."""

OUTPUT_SECONDS = 0.1
"""Seconds between two `Output` events, so that a script that writes a lot causes few."""

_MEMORY_SECONDS = 0.5
"""Seconds between measurements of a runner's memory."""


class TaskRun:
    """One running task: puts progress and images into one order of events."""

    def __init__(self, task: Task, invocation: Invocation) -> None:
        self.peak_rss: int | None = None
        self._measured_at = 0.0
        self._changed = asyncio.Event()
        self._has_output = False
        self._event_at = 0.0
        self._reported = 0
        self.restart(task, invocation)

    def restart(self, task: Task, invocation: Invocation) -> None:
        """Watch the task from its beginning, in another workdir; no image is reported twice."""
        self.task = task
        self._parser = ProgressParser(
            batches=invocation.batches,
            batch_size=invocation.batch_size,
            outer=invocation.outer_bar,
        )
        self.checkpoint = invocation.checkpoint
        self._images = OutDir(invocation.images)
        self._progress: list[Progress] = []
        self._preview: Preview | None = None
        self.loaded = False

    @property
    def images_ready(self) -> int:
        """How many images are complete."""
        return self._images.ready

    @property
    def complete(self) -> bool:
        """Whether all images are complete."""
        return not self._images.missing

    async def events(self, runner: Runner) -> AsyncGenerator[Event, None]:
        """Yield the events of the runner's job until its script has ended."""
        while runner.result is None:
            await self.wait()
            self._measure_memory(runner)
            for event in self._new_events(runner):
                yield event
        self._measure_memory(runner)
        await runner.settle()
        for event in self._new_events(runner):
            yield event

    def receive_stderr(self, data: bytes) -> None:
        """Take what the script wrote."""
        self._has_output = True
        self._progress += self._parser.feed(data)
        self.loaded = self.loaded or bool(self._progress)

    def receive_preview(self, preview: Preview) -> None:
        """Take a preview; it replaces one that is not reported yet."""
        self._preview = preview

    def wake(self) -> None:
        """End `wait`."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait until there may be new events."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._changed.wait()
        self._changed.clear()

    def _measure_memory(self, runner: Runner) -> None:
        now = time.monotonic()
        if runner.result is None and now < self._measured_at + _MEMORY_SECONDS:
            return
        self._measured_at = now
        memory = runner.memory()
        if memory is not None:
            self.peak_rss = max(memory, self.peak_rss or 0)

    def _new_events(self, runner: Runner) -> list[Event]:
        """Return what has happened since the last call; an image before all progress beyond it."""
        number = self._images.ready
        paths = self._images.poll()
        if paths:
            runner.listen()  # what is said of an image, flags and bars, is said before its end
        progress, self._progress = self._progress, []
        images = [
            ImageReady(index, path, flagged=index in runner.flagged, attention=runner.attention)
            for index, path in enumerate(paths, number + 1)
        ]
        events: list[Event] = []
        for step in progress:
            while images and images[0].index < step.index:
                events += self._unreported(images.pop(0))
            events.append(step)
        for image in images:
            events += self._unreported(image)
        events += self._new_preview()
        if not events:
            return self._output()
        self._has_output = False
        return events

    def _new_preview(self) -> list[Event]:
        """Return the preview that has come, unless its image is complete, in this run or before."""
        preview, self._preview = self._preview, None
        return [preview] if preview and preview.index > self._reported else []

    def _unreported(self, image: ImageReady) -> list[Event]:
        if image.index <= self._reported:
            return []
        self._reported = image.index
        return [image]

    def _output(self) -> list[Event]:
        now = time.monotonic()
        if not self._has_output or now < self._event_at + OUTPUT_SECONDS:
            return []
        self._has_output, self._event_at = False, now
        return [Output()]
