"""The server's side of `runner.py`: starts it, sends it a job, hears its events.

A host lives in the repository's Python and takes one job after the other (`pool.py` says which).
The pipe of jobs stays open while the host shall live, since its end kills it.
"""

import asyncio
import contextlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdrest.engine.base import NO_OWNER
from sdrest.engine.local.failures.ending import Raised
from sdrest.engine.local.failures.oom import OomCounter
from sdrest.engine.local.process import GRACE, Pipe, ProcessTree, Tail
from sdrest.engine.local.repository import Repository
from sdrest.engine.local.scripts import Invocation, environment
from sdrest.engine.runner import main as runner_program

_LONGEST_EVENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended: its exit code (negative for a signal) and what it raised."""

    code: int
    raised: Raised | None = None


class Runner:
    """A host process and its pipes. `start` it, `submit` jobs, `end` it in every case."""

    def __init__(self, *, stderr_tail: int, owner: str = NO_OWNER) -> None:
        self._stderr_tail = stderr_tail
        self._owner = owner
        self._tail = Tail(stderr_tail)
        self._on_stderr: Callable[[bytes], object] = _nothing
        self._on_change: Callable[[], object] = _nothing
        self._line = b""
        self._job = ""
        self._reported: Result | None = None
        self._flagged: set[int] = set()
        self._accepted = False
        self._clean = False
        self._protocol_ok = True
        self._settled = False
        self._ready = False
        self._pipes = _open_pipes(self._receive_stderr, self._receive_events)
        self._tree: ProcessTree | None = None
        self._jobs: asyncio.WriteTransport | None = None
        self._oom = OomCounter()
        self.submitted = 0

    async def start(self, repository: Repository, *, models: int = 1) -> None:
        """Start the process, which keeps up to `models` models. Raises OSError if it cannot be."""
        stderr, events = self._pipes
        python = repository.python or Path("no python")
        try:
            jobs_end, own_end = os.pipe()
        except OSError:
            for pipe in self._pipes:
                pipe.handed_over()
            raise
        numbers = (jobs_end, events.write_end, models)
        try:
            self._jobs, _ = await asyncio.get_running_loop().connect_write_pipe(
                asyncio.BaseProtocol, os.fdopen(own_end, "wb", buffering=0)
            )
            self._tree = await ProcessTree.start(
                [python, "-u", runner_program.__file__, *map(str, numbers)],
                environment=environment(os.environ, repository),
                stderr=stderr,
                descriptors=(jobs_end, events.write_end),
                owner=self._owner,
            )
        finally:
            os.close(jobs_end)
            for pipe in self._pipes:
                pipe.handed_over()
        self._tree.exited.add_done_callback(lambda _: self._on_change())

    def submit(
        self,
        invocation: Invocation,
        repository: Repository,
        *,
        on_stderr: Callable[[bytes], object] | None = None,
        on_change: Callable[[], object] | None = None,
        preload: bool = False,
    ) -> None:
        """Send a job; everything is about it from now on.

        `on_stderr` gets the bytes of the script's stderr; `on_change` is called when `result` or
        `accepted` may have changed. A job to `preload` ends when the script's model is loaded.
        """
        if self._jobs is None:
            raise RuntimeError("The host is not started.")
        self._on_stderr, self._on_change = on_stderr or _nothing, on_change or _nothing
        self._job = uuid.uuid4().hex  # what a script writes into the pipe cannot pass for ours
        if self.submitted:  # else it may hold why the host does not come up
            self._tail = Tail(self._stderr_tail)
        self._reported, self._accepted, self._clean = None, False, False
        self._settled = False
        self._oom = OomCounter(self.pid)
        self._flagged = set()
        self.submitted += 1
        self._send(
            {
                "id": self._job,
                "script": str(invocation.script),
                "arguments": invocation.arguments,
                "path": [str(invocation.script.parent), str(repository.root)],
                "cwd": str(invocation.cwd),
                "seed": invocation.seed,
                "takes_precision": invocation.takes_precision,
                "preload": preload,
                "sampling": invocation.sampling,
                "trusted": invocation.trusted,
            }
        )

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the script of the current job."""
        self._send({"interrupt": self._job})

    @property
    def pid(self) -> int:
        """The id of the process; 0 before it is started."""
        return self._tree.pid if self._tree else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._tree is not None and self._tree.returncode is None

    @property
    def accepted(self) -> bool:
        """Whether the host began with the job."""
        return self._accepted

    @property
    def result(self) -> Result | None:
        """How the job ended, as the host told or as its death tells; None while it runs."""
        if self._reported:
            return self._reported
        if self._tree is None or self._tree.returncode is None:
            return None
        return Result(self._tree.returncode)

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process itself, negative for a signal; None while it runs."""
        return self._tree.returncode if self._tree else None

    @property
    def oom_killed(self) -> bool | None:
        """Whether the kernel killed for memory since the job was submitted; None: unknown."""
        return self._oom.increased()

    @property
    def returned(self) -> bool:
        """Whether the script came to its end, or left with an exit code of its own choice."""
        return self._reported is not None and self._reported.raised is None

    @property
    def flagged(self) -> frozenset[int]:
        """The images of the job, counted from 1, that the script's safety checker replaced."""
        return frozenset(self._flagged)

    @property
    def reusable(self) -> bool:
        """Whether the job has ended, and another one would find the host as this one did."""
        return self.alive and self._reported is not None and self._clean and self._protocol_ok

    @property
    def ready(self) -> bool:
        """Whether the host came up."""
        return self._ready

    @property
    def stderr(self) -> str:
        """The end of the job's stderr; whole once the host is settled or ended."""
        return str(self._tail)

    def memory(self) -> int | None:
        """Return the host's memory (RSS) in bytes; None if it is gone."""
        return self._tree.memory() if self._tree else None

    def listen(self) -> None:
        """Take what lies in the pipes now."""
        for pipe in self._pipes:
            pipe.drain()

    async def wait(self, seconds: float) -> None:
        """Wait until the job has ended, but not longer; nobody else is told of it any more."""
        changed = asyncio.Event()
        self._on_stderr, self._on_change = _nothing, changed.set
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.result is None:
                    changed.clear()
                    await changed.wait()

    async def settle(self) -> None:
        """End what the job has left running, and hear what it wrote to its end; once is enough."""
        if self._settled:
            return
        if self._tree:
            await self._tree.prune()
        self.listen()
        self._settled = True

    async def end(self, *, grace: float = GRACE) -> None:
        """End the process and all that it started; see `ProcessTree.end`."""
        try:
            if self._tree:
                await self._tree.end(grace=grace)
        finally:
            if self._jobs and not self._jobs.is_closing():
                self._jobs.abort()
            for pipe in self._pipes:
                pipe.close()

    def _send(self, message: dict[str, Any]) -> None:
        if self._jobs and not self._jobs.is_closing():
            self._jobs.write(json.dumps(message).encode() + b"\n")

    def _receive_stderr(self, data: bytes) -> None:
        self._tail.append(data)
        self._on_stderr(data)
        self._on_change()

    def _receive_events(self, data: bytes) -> None:
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_LONGEST_EVENT:]
        for line in filter(None, lines):
            # A script may write garbage into any descriptor.
            try:
                self._receive(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError):
                self._protocol_ok = False

    def _receive(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            self._ready = True
            return
        if event["id"] != self._job:
            raise ValueError("Nothing is known of such a job.")
        if event["event"] == "started":
            self._accepted = True
        elif event["event"] == "flagged":
            self._flagged.add(int(event["image"]))
        elif event["event"] == "finished":
            self._reported = Result(int(event["code"]), _raised(event["exception"]))
            self._clean = event["clean"] is True
        self._on_change()


def _nothing(*_: object) -> None:
    pass


def _open_pipes(*receivers: Callable[[bytes], None]) -> tuple[Pipe, ...]:
    """Open a pipe for each receiver, or none: where the last one fails, the first are closed."""
    with contextlib.ExitStack() as stack:
        pipes = []
        for receiver in receivers:
            pipe = Pipe(receiver)
            stack.callback(pipe.close)
            stack.callback(pipe.handed_over)
            pipes.append(pipe)
        stack.pop_all()
    return tuple(pipes)


def _raised(exception: dict[str, Any] | None) -> Raised | None:
    if exception is None:
        return None
    return Raised(
        types=tuple(exception["types"]),
        text=exception["text"],
        errno=exception["errno"],
        module=exception["module"],
        files=frozenset(exception["files"]),
        causes=tuple(exception["causes"]),
    )
