"""Running the fake fork in tests: its repository, its tasks, and seeing which processes live."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from sdrest.engine.base import Event, Executor, Finished, ImageReady, Task
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.repository import Repository
from sdrest.errors import Failure
from sdrest.execution import execute
from sdrest.job_types import JobType
from sdrest.params import validate

FORK = Path(__file__).parent / "fork"
PATIENCE = 30.0

HOLDER = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "w") as lifeline:
    print(os.getpid(), file=lifeline, flush=True)
    sys.stdin.read() or signal.pause()
"""
"""A program, deaf to SIGTERM, that holds a lifeline until something comes on its stdin."""


def fake_repository(**changes: Any) -> Repository:
    """Return the fake fork's repository, run by the Python of the tests."""
    models = FORK / "models" / "ldm"
    repository = Repository(
        root=FORK,
        python=Path(sys.executable),
        text_to_image_model=models / "stable-diffusion-v1" / "model.ckpt",
        inpaint_image_model=models / "inpainting_big" / "last.ckpt",
    )
    return replace(repository, **changes)


def copy_fork(folder: Path) -> None:
    """Copy the fake fork, without what other processes may be compiling at this moment."""
    shutil.copytree(FORK, folder, ignore=shutil.ignore_patterns("__pycache__"))


def task(
    workdir: Path, prompt: str = "paint", job_type: JobType = JobType.TEXT_TO_IMAGE, **fields: Any
) -> Task:
    """Return a task in a fresh folder; the prompt says how the fake misbehaves."""
    size = {"height": 256, "width": 256} if job_type is JobType.TEXT_TO_IMAGE else {}
    given = {name: fields.pop(name) for name in ("image", "mask") if name in fields}
    workdir.mkdir(exist_ok=True)
    params = validate(job_type, {"prompt": prompt, **size, **fields})
    return Task(id="job", params=params, seed=42, workdir=workdir, **given)


def finished_events(
    executor: Executor, work: Task, *, with_metadata: bool = False
) -> AsyncGenerator[Event, None]:
    """Run a task as jobs and programs do."""
    return execute(executor, work, folder=work.workdir, with_metadata=with_metadata)


async def run_alone(work: Task, **changes: Any) -> list[Event]:
    """Return all events of a task that has an executor, with a changed fake fork, for itself."""
    executor = LocalExecutor(fake_repository(**changes))
    try:
        return await collect(finished_events(executor, work))
    finally:
        await executor.close()


async def collect(events: AsyncGenerator[Event, None]) -> list[Event]:
    """Return all events of a run."""
    async with asyncio.timeout(PATIENCE):
        return [event async for event in events]


def images(events: Iterable[Event]) -> list[int]:
    """Return the numbers of the images in the order in which they were ready."""
    return [event.index for event in events if isinstance(event, ImageReady)]


def failure(events: list[Event]) -> Failure:
    """Return the failure with which a run ended."""
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.failure is not None
    return last.failure


def invocation(of: Task) -> dict[str, Any]:
    """Return what the fake script wrote down about how it was started."""
    facts: dict[str, Any] = json.loads((of.workdir / "output" / "invocation.json").read_text())
    return facts


class Lifeline:
    """A FIFO that all processes of a fake keep open: has their pids, ends with the last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._own_end: int | None = os.open(path, os.O_WRONLY)  # else it would end at once
        self._text = b""

    async def pids(self, count: int) -> list[int]:
        """Wait until `count` processes live."""
        while self._text.count(b"\n") < count:
            await self._read()
        self._let_go()
        return [int(line) for line in self._text.split()]

    async def all_gone(self) -> bool:
        """Wait until no process is left; only a zombie may be, that init has yet to reap."""
        self._let_go()
        while await self._read():
            pass
        return all([await _is_gone(int(pid)) for pid in self._text.split()])

    def close(self) -> None:
        """Forget the FIFO."""
        self._let_go()
        os.close(self._descriptor)

    def _let_go(self) -> None:
        if self._own_end is not None:
            os.close(self._own_end)
            self._own_end = None

    async def _read(self) -> bytes:
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        while True:
            try:
                data = os.read(self._descriptor, 4096)
            except BlockingIOError:
                loop.add_reader(self._descriptor, readable.set)
                try:
                    async with asyncio.timeout(PATIENCE):
                        await readable.wait()
                finally:
                    loop.remove_reader(self._descriptor)
                readable.clear()
            else:
                self._text += data
                return data


async def _is_gone(pid: int) -> bool:
    """Wait until a process is no more, or a zombie that init has yet to reap.

    The end of the FIFO comes from the kernel's teardown, an instant before, or from a host that has
    let go of its job and is being ended; that is the loop's work, which goes on here.
    """
    try:
        process = psutil.Process(pid)
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(process.status) != psutil.STATUS_ZOMBIE:
                pass
    except psutil.NoSuchProcess:
        return True
    except TimeoutError:
        return False
    return True
