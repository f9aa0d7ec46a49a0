"""The server's side of a runner: starts the process, sends it jobs, receives its events.

A runner (`engine.runner`) runs in the repository's Python, one job after the other (`pool.py` says
which). The end of the pipe of jobs kills it.
"""

import asyncio
import base64
import contextlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdrest.engine.base import NO_OWNER, Preview
from sdrest.engine.local.failures.ending import Raised
from sdrest.engine.local.failures.oom import OomCounter
from sdrest.engine.local.invocation import Invocation, environment
from sdrest.engine.local.process import GRACE, ProcessTree, Tail, open_pipes
from sdrest.engine.local.repository import Repository
from sdrest.engine.runner import main as runner_program

_LONGEST_EVENT = 1 << 20
_PREVIEW_TYPES = {"image/jpeg", "image/png"}


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended: its exit code (negative for a signal) and what it raised."""

    code: int
    raised: Raised | None = None


class Runner:
    """A runner process and its pipes. `start` it, `submit` jobs, `end` it in every case.

    `attention` is `exact` or `fast`, as the job's script computes it, and `device` the type of the
    device on which it does, such as `cuda`; empty while they are unknown.
    """

    def __init__(self, *, stderr_tail: int, owner: str = NO_OWNER) -> None:
        self._stderr_tail = stderr_tail
        self._owner = owner
        self._tail = Tail(stderr_tail)
        self._on_stderr: Callable[[bytes], object] = _nothing
        self._on_change: Callable[[], object] = _nothing
        self._on_preview: Callable[[Preview], object] = _nothing
        self._line = b""
        self._job = ""
        self._reported: Result | None = None
        self._flagged: set[int] = set()
        self.attention = self.device = ""
        self._accepted = self._clean = False
        self._protocol_ok = True
        self._settled = False
        self._ready = False
        self._pipes = open_pipes(self._receive_stderr, self._receive_events)
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
        on_preview: Callable[[Preview], object] | None = None,
        preload: bool = False,
    ) -> None:
        """Send a job; all that follows is about it.

        `on_stderr` gets the bytes of the script's stderr, `on_preview` its previews; `on_change` is
        called when `result` or `accepted` may have changed. A job to `preload` ends when the
        script's model is loaded.
        """
        if self._jobs is None:
            raise RuntimeError("The runner is not started.")
        self._on_stderr, self._on_change = on_stderr or _nothing, on_change or _nothing
        self._on_preview = on_preview or _nothing
        self._job = uuid.uuid4().hex  # what a script writes into the pipe cannot pass for ours
        if self.submitted:  # else it may hold why the runner does not start
            self._tail = Tail(self._stderr_tail)
        self._reported, self._accepted, self._clean = None, False, False
        self._settled = False
        self._oom = OomCounter(self.pid)
        self._flagged = set()
        self.attention = ""
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
                "checkpoint": str(invocation.checkpoint),
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
        """Whether the runner has started the job."""
        return self._accepted

    @property
    def result(self) -> Result | None:
        """How the job ended, by the runner's report or its exit code; None while the job runs."""
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
        """Whether the job has ended and left the runner as it found it."""
        return self.alive and self._reported is not None and self._clean and self._protocol_ok

    @property
    def ready(self) -> bool:
        """Whether the runner has started."""
        return self._ready

    @property
    def stderr(self) -> str:
        """The end of the job's stderr; complete once the runner is settled or ended."""
        return str(self._tail)

    def memory(self) -> int | None:
        """Return the runner's memory (RSS) in bytes; None if it has ended."""
        return self._tree.memory() if self._tree else None

    def listen(self) -> None:
        """Receive what is in the pipes now."""
        for pipe in self._pipes:
            pipe.drain()

    async def wait(self, seconds: float) -> None:
        """Wait up to `seconds` for the job's end; the callbacks of `submit` are dropped."""
        changed = asyncio.Event()
        self._on_stderr, self._on_change, self._on_preview = _nothing, changed.set, _nothing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.result is None:
                    changed.clear()
                    await changed.wait()

    async def settle(self) -> None:
        """End what the job has left running, and receive the rest of its output; once is enough."""
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
            raise ValueError("This is not the current job.")
        if event["event"] == "started":
            self._accepted = True
        elif event["event"] == "flagged":
            self._flagged.add(int(event["image"]))
        elif event["event"] == "attention":
            self.attention, self.device = str(event["attention"]), str(event["device"])
        elif event["event"] == "preview":
            self._on_preview(_preview(event))
        elif event["event"] == "finished":
            raised = event["exception"]
            self._reported = Result(int(event["code"]), raised and Raised.of(raised))
            self._clean = event["clean"] is True
        self._on_change()


def _nothing(*_: object) -> None:
    pass


def _preview(event: dict[str, Any]) -> Preview:
    if event["type"] not in _PREVIEW_TYPES:
        raise ValueError("This is not the media type of a preview.")
    return Preview(int(event["image"]), base64.b64decode(event["data"]), event["type"])
