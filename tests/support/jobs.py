"""A job service on real files, and an executor whose every step the test decides."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from sdrest.engine.base import (
    Event,
    Finished,
    Health,
    ImageReady,
    Need,
    OneMachine,
    PoolStats,
    Progress,
    Started,
    Task,
)
from sdrest.errors import NotFoundError
from sdrest.job_types import JobType
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.folders import Folders
from sdrest.jobs.insert import Inserted, NewJob
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.jobs.service import JobService
from sdrest.jobs.store import Store
from sdrest.params import InpaintImage, Params, TextToImage

SECONDS = 60.0
"""No wait of a test takes longer."""

Script = Callable[[Task], AsyncGenerator[Event, None]]


@dataclass(frozen=True)
class Submission:
    """The arguments of `JobService.submit`."""

    key: JobKey
    params: Params
    uploads: dict[str, Path] = field(default_factory=dict)


def text_key(name: str) -> JobKey:
    return JobKey(JobType.TEXT_TO_IMAGE, hashlib.md5(name.encode()).hexdigest())


def text(name: str, *, images: int = 1, seed: int | None = 42) -> Submission:
    """A text-to-image submission; the same name is the same job."""
    return Submission(text_key(name), TextToImage(prompt=name, iterations=images, seed=seed))


def upload(path: Path, value: int = 128) -> Path:
    """Write a grey picture, as a client sends it."""
    Image.new("L", (64, 64), value).save(path, format="PNG")
    return path


def value_of(picture: Path) -> object:
    """Return the first value of a grey picture."""
    with Image.open(picture) as opened:
        return opened.convert("L").getpixel((0, 0))


def addition(
    name: str, *, images: int = 1, seed: int = 7, limit: int = 1000, instead: Job | None = None
) -> NewJob:
    """Return what the store inserts for the submission `text(name)`."""
    submission = text(name, images=images, seed=None)
    params = submission.params.dump()
    return NewJob(submission.key, params, images, seed=seed, limit=limit, instead=instead)


async def count(store: Store, status: Status) -> int:
    """Return how many jobs have a status."""
    counts = await store.counts()
    return sum(counts[status, job_type] for job_type in JobType)


async def add(store: Store, name: str, *, limit: int = 1000, images: int = 3) -> Inserted:
    """Queue a job in a table, with the text `name` as its prompt."""
    return await store.add(
        addition(name, limit=limit, images=images), retry_after=9, on_insert=lambda _: None
    )


def picture(task: Task, index: int) -> ImageReady:
    """Write image `index` of a task; its bytes tell job, seed and index, but for inpainting."""
    path = task.workdir / f"{index:05}.png"
    if task.image and task.mask:  # what is restored has to be a picture
        shutil.copyfile(task.image, path)
    else:
        path.write_bytes(content(task, index))
    return ImageReady(index, path)


def content(task: Task, index: int) -> bytes:
    return f"{task.params.model_dump()} {task.seed} {index}".encode()


async def draw(task: Task) -> AsyncGenerator[Event, None]:
    """A script that works: half of each image's bar, then the image."""
    yield Started()
    for index in range(1, task.params.total_images + 1):
        yield Progress(index, 0.5)
        yield picture(task, index)
    yield Finished()


@dataclass
class Gate:
    """A script that stops before its end until `open` is called."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    closed: int = 0

    async def __call__(self, task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        for index in range(1, task.params.total_images + 1):
            yield picture(task, index)
        self.entered.set()
        try:
            await self.opened.wait()
        finally:
            self.closed += 1
        yield Finished()


@dataclass
class ScriptedExecutor(OneMachine):
    """Runs `script` for every task, or the one that `scripts` has for its prompt."""

    script: Script = draw
    scripts: dict[str, Script] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    places: int = 1
    watchers: list[Callable[[], object]] = field(default_factory=list)
    needs: set[Need] | None = None
    """What can run now; None: anything."""
    obstacle: str = ""

    def ready(self, claimed: Mapping[str, Need]) -> set[Need] | None:
        if self.needs is None:
            return None
        return self.needs if len(claimed) < self.places else set()

    def waits_for(self, need: Need) -> str:
        return "" if self.needs is None or need in self.needs else self.obstacle

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        self.tasks.append(task)
        script = self.scripts.get(getattr(task.params, "prompt", ""), self.script)
        events = script(task)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    @property
    def capacity(self) -> int:
        return self.places

    def watch_capacity(self, changed: Callable[[], object]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    async def health(self) -> Health:
        return Health({})

    async def stats(self) -> PoolStats:
        return PoolStats(0, 0, 0)

    def preload(self) -> None:
        pass

    async def unload(self) -> None:
        pass

    async def close(self) -> None:
        pass


@dataclass
class House:
    """A job service with the parts below it; `uploads` is a folder for files of clients."""

    folders: Folders
    store: Store
    executor: ScriptedExecutor
    bus: Bus
    jobs: JobService
    uploads: Path
    events: list[JobEvent] = field(default_factory=list)

    async def submit(self, submission: Submission) -> Job:
        return await self.jobs.submit(submission.params, submission.uploads, key=submission.key)

    def inpaint(self, name: str = "upload") -> Submission:
        """Return a submission with an image of 128s and a white mask; one job for a name."""
        key = JobKey(JobType.INPAINT_IMAGE, text_key(name).id)
        values = {"image": 128, "mask": 255}
        files = {kind: upload(self.uploads / kind, value) for kind, value in values.items()}
        return Submission(key, InpaintImage(), files)

    async def occupy(self) -> Gate:
        """Let a job occupy the executor, whose capacity is 1."""
        gate = self.executor.scripts["held"] = Gate()
        await self.submit(text("held"))
        await asyncio.wait_for(gate.entered.wait(), SECONDS)
        return gate

    async def find(self, key: JobKey) -> Snapshot | None:
        """Return a job, or None if there is none."""
        try:
            return await self.jobs.get(key)
        except NotFoundError:
            return None

    async def waiting(self) -> int:
        """Return how many jobs wait."""
        return await count(self.store, Status.QUEUED)

    async def until(self, reached: Callable[[JobEvent], bool]) -> JobEvent:
        """Return the first event, past ones included, for which `reached` is true."""
        for event in self.events:
            if reached(event):
                return event
        found: asyncio.Future[JobEvent] = asyncio.get_running_loop().create_future()

        def look(event: JobEvent) -> None:
            if not found.done() and reached(event):
                found.set_result(event)

        unsubscribe = self.bus.subscribe(look)
        try:
            async with asyncio.timeout(SECONDS):
                return await found
        finally:
            unsubscribe()

    async def ended(self, key: JobKey) -> JobEvent:
        """Wait for the end of a job."""
        return await self.until(
            lambda event: event.change is Change.FINISHED and event.snapshot.job.key == key
        )

    def changes(self, key: JobKey) -> list[Change]:
        return [event.change for event in self.events if event.snapshot.job.key == key]


@asynccontextmanager
async def house(
    output: Path,
    executor: ScriptedExecutor | None = None,
    *,
    concurrency: int = 1,
    max_waiting: int = 1000,
    job_timeout: float = 0,
    stall_timeout: float = 0,
    keep_days: float = 0,
    keep_bytes: int = 0,
    suspects: bool = True,
    delete_incomplete: bool = False,
) -> AsyncIterator[House]:
    """A started job service on `output`; stopped at the end."""
    folders, bus = Folders(output), Bus()
    executor = executor or ScriptedExecutor()
    executor.places = concurrency
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(folders))
        uploads = stack.enter_context(tempfile.TemporaryDirectory())
        jobs = JobService(
            store=store,
            executor=executor,
            folders=folders,
            bus=bus,
            max_waiting=max_waiting,
            max_pixels=1 << 24,
            job_timeout=job_timeout,
            stall_timeout=stall_timeout,
            keep_days=keep_days,
            keep_bytes=keep_bytes,
            suspects=suspects,
        )
        built = House(folders, store, executor, bus, jobs, Path(uploads))
        bus.subscribe(built.events.append)
        await jobs.start(delete_incomplete=delete_incomplete)
        try:
            yield built
        finally:
            await jobs.stop()
