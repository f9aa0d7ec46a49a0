"""The server's side of `host.py`: starts it, sends it a job, hears its events.

A host lives in the repository's Python and can take one job after the other; the executor of today
gives it one. The pipe of jobs stays open while the host shall live, since its end kills it.
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

from sdrest.engine import host as host_program
from sdrest.engine.failures import Raised
from sdrest.engine.process import GRACE, Pipe, ProcessTree, Tail
from sdrest.engine.repository import Repository
from sdrest.engine.scripts import Invocation, environment

_LONGEST_EVENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended: its exit code (negative for a signal) and what it raised."""

    code: int
    raised: Raised | None = None


class Host:
    """A host process and its pipes. `start` it, `submit` a job, `end` it in every case.

    `on_stderr` gets the bytes of the script's stderr; `on_change` is called when `result` may be
    there.
    """

    def __init__(
        self,
        *,
        stderr_tail: int,
        on_stderr: Callable[[bytes], None],
        on_change: Callable[[], None],
    ) -> None:
        self._on_stderr = on_stderr
        self._on_change = on_change
        self._tail = Tail(stderr_tail)
        self._line = b""
        self._job = ""
        self._told: Result | None = None
        self._ready = False
        self._pipes = _open_pipes(self._receive_stderr, self._receive_events)
        self._tree: ProcessTree | None = None
        self._jobs: asyncio.WriteTransport | None = None

    async def start(self, repository: Repository) -> int:
        """Start the process and return its pid. Raises OSError where that cannot be done."""
        stderr, events = self._pipes
        python = repository.python or Path("no python")
        try:
            jobs_end, own_end = os.pipe()
        except OSError:
            for pipe in self._pipes:
                pipe.handed_over()
            raise
        try:
            self._jobs, _ = await asyncio.get_running_loop().connect_write_pipe(
                asyncio.BaseProtocol, os.fdopen(own_end, "wb", buffering=0)
            )
            self._tree = await ProcessTree.start(
                [python, "-u", host_program.__file__, str(jobs_end), str(events.write_end)],
                environment=environment(os.environ, repository),
                stderr=stderr,
                descriptors=(jobs_end, events.write_end),
            )
        finally:
            os.close(jobs_end)
            for pipe in self._pipes:
                pipe.handed_over()
        self._tree.exited.add_done_callback(lambda _: self._on_change())
        return self._tree.pid

    def submit(self, invocation: Invocation, repository: Repository) -> None:
        """Send the job; `result` is about it from now on."""
        self._job = uuid.uuid4().hex  # what a script writes into the pipe cannot pass for ours
        self._told = None
        job = {
            "id": self._job,
            "script": str(invocation.script),
            "arguments": invocation.arguments,
            "path": [str(invocation.script.parent), str(repository.root)],
            "cwd": str(invocation.cwd),
            "seed": invocation.seed,
            "takes_precision": invocation.takes_precision,
        }
        if self._jobs is None:
            raise RuntimeError("The host is not started.")
        self._jobs.write(json.dumps(job).encode() + b"\n")

    @property
    def result(self) -> Result | None:
        """How the job ended, as the host told or as its death tells; None while it runs."""
        if self._told:
            return self._told
        if self._tree is None or self._tree.returncode is None:
            return None
        return Result(self._tree.returncode)

    @property
    def ready(self) -> bool:
        """Whether the host came up."""
        return self._ready

    @property
    def stderr(self) -> str:
        """The end of the script's stderr; whole once the host is ended."""
        return str(self._tail)

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

    def _receive_stderr(self, data: bytes) -> None:
        self._tail.append(data)
        self._on_stderr(data)
        self._on_change()

    def _receive_events(self, data: bytes) -> None:
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_LONGEST_EVENT:]
        for line in lines:
            # A script may write garbage into any descriptor.
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                self._hear(json.loads(line))

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            self._ready = True
        elif event["event"] == "finished" and event["id"] == self._job:
            self._told = Result(int(event["code"]), _raised(event["exception"]))
            self._on_change()


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
    )
