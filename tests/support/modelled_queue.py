"""A real queue beside a model of it, for tests that compare the two."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.stateful import (
    RuleBasedStateMachine,
)

from sdrest.engine.base import Event, Started, Task
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import JobKey, Status
from sdrest.params import ImageToImage
from tests.support.jobs import (
    SECONDS,
    House,
    ScriptedExecutor,
    Submission,
    house,
    text_key,
    upload,
)

MAX_WAITING = 3
MAX_ATTEMPTS = 3
MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where there is one, hundreds of lives cost seconds."""


@dataclass
class Expected:
    """What the model believes of a job."""

    status: Status
    total: int
    images: int = 0
    attempts: int = 0


class ModelledQueue(RuleBasedStateMachine):
    """A queue of capacity 1, whose script takes its steps from the rules, and what it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.root = Path(tempfile.mkdtemp(prefix="sdrest-machine-", dir=MEMORY_DISK))
        self.lives = 0
        self.jobs: dict[str, Expected] = {}
        self.deleted: set[str] = set()
        self.waiting: list[str] = []
        self.running: str | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    @property
    def output(self) -> Path:
        return self.root / str(self.lives)

    async def live(self, *, delete_incomplete: bool = False) -> None:
        self.steps: asyncio.Queue[Callable[[Task], Event]] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.context: AbstractAsyncContextManager[House] = house(
            self.output,
            ScriptedExecutor(self.script),
            max_waiting=MAX_WAITING,
            delete_incomplete=delete_incomplete,
        )
        self.home = await self.context.__aenter__()
        await self.next_claimed()

    async def script(self, task: Task) -> AsyncGenerator[Event, None]:
        self.task = task
        yield Started()
        self.begun.set()
        while True:
            step = await self.steps.get()
            yield step(task)

    async def step(self, step: Callable[[Task], Event], change: Change) -> None:
        self.home.events.clear()
        await self.steps.put(step)
        await self.home.until(lambda event: event.change is change)

    async def next_claimed(self) -> None:
        """Follow the dispatcher, which claims the job that waits longest."""
        if self.running is None and self.waiting:
            name = self.running = self.waiting.pop(0)
            expected = self.jobs[name]
            expected.status = Status.IN_PROGRESS
            expected.attempts += 1
            self.reached = 0

            def claimed(event: JobEvent) -> bool:
                return event.change is Change.STARTED and event.snapshot.job.key == key_of(name)

            await self.home.until(claimed)
            await self.begun.wait()  # until then a thread makes and removes folders
            self.begun.clear()

    async def submission(self, name: str, total: int) -> Submission:
        image = upload(self.home.uploads / name, ord(name))
        params = ImageToImage(prompt=name, iterations=total)
        return Submission(key_of(name), params, {"image": image})

    def cancelled(self, name: str) -> None:
        """Take the model's job out of the queue."""
        if name in self.waiting:
            self.waiting.remove(name)
        if name == self.running:
            self.running = None
        if not self.jobs[name].status.final:
            self.jobs[name].status = Status.CANCELLED

    async def ends(self, step: Callable[[Task], Event], status: Status) -> None:
        assert self.running is not None
        await self.step(step, Change.FINISHED)
        self.jobs[self.running].status = status
        self.running = None
        await self.next_claimed()

    def interrupted(self, *, counts: bool) -> None:
        """Put the model's running job back."""
        name, self.running = self.running, None
        if name is None:
            return
        expected = self.jobs[name]
        if counts and expected.attempts >= MAX_ATTEMPTS:
            expected.status = Status.FAILED
            return
        expected.status = Status.QUEUED
        expected.attempts -= not counts
        self.waiting.insert(0, name)

    def teardown(self) -> None:
        if hasattr(self, "home"):
            self.run(self.context.__aexit__(None, None, None))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.root)


def key_of(name: str) -> JobKey:
    return JobKey(JobType.IMAGE_TO_IMAGE, text_key(name).id)
