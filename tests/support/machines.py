"""A front and workers in one process, over real connections; the executors are the test's own."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Worker

from sdrest.checkpoints.catalog import Catalog
from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import Event, Finished, Task
from sdrest.engine.cluster.engine import Engine
from sdrest.engine.cluster.executor import ClusterExecutor
from sdrest.engine.cluster.front import Front
from sdrest.engine.cluster.here import Here
from sdrest.engine.cluster.offer import Machine, Offers
from sdrest.engine.cluster.protocol import POLL_SECONDS
from sdrest.engine.cluster.runs import Runs
from sdrest.engine.workers import WorkerInfo
from tests.fakes.running import fake_repository, task
from tests.support.checkpoints import model, torch_file
from tests.support.jobs import ScriptedExecutor
from tests.support.relay import Relay

LOST_SECONDS = POLL_SECONDS + 3
SECONDS = 20.0


@dataclass
class Site:
    """A cluster; `folder` is for the files of its machines."""

    folder: Path
    executor: ClusterExecutor
    front: Front
    stack: AsyncExitStack
    engines: dict[str, Engine] = field(default_factory=dict)

    async def add(
        self,
        name: str,
        executor: ScriptedExecutor | None = None,
        *,
        models: tuple[str, ...] = (),
        change: Callable[[dict[str, Any]], None] = lambda _: None,
        relay: Relay | None = None,
        own_name: str = "",
    ) -> Worker:
        """Connect a worker with these files of checkpoints; `change` may change its handlers.

        It calls itself `own_name`, by default `name`. Given a `relay`, the front calls it through
        that.
        """
        folder = self.folder / name
        (folder / "models").mkdir(parents=True)
        (folder / "work").mkdir()
        for file in models:
            torch_file(folder / "models" / file, model())
        executor = executor or ScriptedExecutor()
        runs = Runs(executor, folder / "work")
        offers = Offers(
            Machine(own_name or name, "cpu"),
            fake_repository(models=Catalog(folder / "models", {})),
            executor,
            Hashes(folder / "hashes"),
            changed=runs.changed.send,
        )
        await offers.refresh()
        self.engines[name] = Engine(runs, offers)
        handlers = dict(self.engines[name].handlers)
        change(handlers)
        worker = Worker(
            self.front.address,
            nthreads=1,
            memory_limit=0,
            dashboard=False,
            dashboard_address="127.0.0.1:0",
            local_directory=str(folder),
            contact_address=f"tcp://127.0.0.1:{relay.port}" if relay else None,
        )
        worker.handlers.update(handlers)
        await self.stack.enter_async_context(worker)
        if relay and worker.listener:
            relay.target.set_result(int(worker.listener.contact_address.rpartition(":")[2]))
        self.stack.push_async_callback(runs.cancel_all)
        return worker

    async def restart(self, name: str, worker: Worker) -> None:
        """Put an engine that knows nothing in the place of a worker's."""
        old = self.engines[name]
        runs = Runs(ScriptedExecutor(), self.folder / name / "work")
        self.engines[name] = Engine(runs, old.offers)
        worker.handlers.update(self.engines[name].handlers)
        await old.runs.cancel_all()

    def task(self, name: str = "a", **fields: Any) -> Task:
        """Return a task with a folder of its own."""
        shutil.rmtree(self.folder / f"task-{name}", ignore_errors=True)
        return task(self.folder / f"task-{name}", name, **fields)

    def info(self, name: str) -> WorkerInfo | None:
        """Return what the front knows of a worker."""
        return next((one for one in self.executor.workers() if one.name == name), None)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is true."""
        async with asyncio.timeout(SECONDS):
            while not true():  # noqa: ASYNC110 (what makes it true has no event)
                await asyncio.sleep(0.01)

    async def known(self, *names: str) -> None:
        """Wait until the front knows workers."""
        await self.until(lambda: all(map(self.info, names)))


@asynccontextmanager
async def machines(folder: Path, here: ScriptedExecutor | None = None) -> AsyncIterator[Site]:
    """Run a front, with runners of its own if `here` is given."""
    own = None
    if here:
        hashes = Hashes(folder / "hashes")
        own = Here(here, fake_repository(), hashes, Machine("here", "cpu"))
    executor = ClusterExecutor(own)
    front = Front(
        listen="tcp://127.0.0.1:0",
        changed=executor.changed,
        own_name="here" if here else "",
        lost_seconds=LOST_SECONDS,
    )
    await executor.start(front)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(executor.close)
        yield Site(folder, executor, front, stack)


class Gap:
    """A partition: while it lasts, handlers of a worker get no calls and give no answers."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def begin(self) -> None:
        """Cut the worker off."""
        self._open.clear()

    def end(self) -> None:
        """Let everything through, what was sent before too."""
        self._open.set()

    def __call__(self, handlers: dict[str, Any]) -> None:
        """Put the gap before and behind each handler."""
        for name, handler in tuple(handlers.items()):
            handlers[name] = self._through(handler)

    def _through(self, handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(**arguments: Any) -> Any:
            await self._open.wait()
            answer = await handler(**arguments)
            await self._open.wait()
            return answer

        return call


async def events_of(site: Site, work: Task) -> list[Event]:
    """Return the events of a task."""
    async with asyncio.timeout(SECONDS):
        return [event async for event in site.executor.run(work)]


def ended(*runs: Sequence[Event]) -> bool:
    """Whether tasks have ended, by their events so far."""
    return all(events and isinstance(events[-1], Finished) for events in runs)


@asynccontextmanager
async def running(site: Site, work: Task) -> AsyncIterator[list[Event]]:
    """Run a task while the context lasts; its value are the events so far."""
    events: list[Event] = []

    async def consume() -> None:
        async for event in site.executor.run(work):
            events.append(event)  # noqa: PERF401 (each at its time)

    consuming = asyncio.create_task(consume())
    try:
        yield events
    finally:
        consuming.cancel()
        with suppress(asyncio.CancelledError):
            await consuming
