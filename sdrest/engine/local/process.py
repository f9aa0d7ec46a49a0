"""A process, all that it starts, and its end.

A `ProcessTree` is a child in a session and process group of its own. Its end is the end of the
whole group, and of what has left the group: such processes are known by a variable in their
environment, which children inherit. Nothing here waits for a pipe to be closed, since a grandchild
may hold it open for ever.
"""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from sdrest.cancellation import until_done
from sdrest.engine.base import NO_OWNER

MARK = "SDREST_RUN"
"""The variable that marks all processes of one tree: `OWNER/UNIQUE`.

OWNER is the id of the output folder whose lock the server holds (`FolderLock.id`), or `-` where
there is none. Neither a change of the clock nor another PID namespace changes it.
"""

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_READ_SIZE = 1 << 16
_LARGEST_PIPE = 1 << 20


class Pipe:
    """A pipe from a child: its bytes are passed on as they come and never pile up."""

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._loop.add_reader(self._read_end, self._read)
        self._open = True

    def handed_over(self) -> None:
        """Close the write end here, once the child has it."""
        os.close(self.write_end)

    def drain(self) -> None:
        """Pass on what is in the pipe."""
        for _ in range(_LARGEST_PIPE // _READ_SIZE):
            if not self._read():
                break

    def close(self) -> None:
        """Pass on what is left in the pipe and close it."""
        self.drain()
        self._stop()

    def _read(self) -> bool:
        """Read once; return whether more may come at once."""
        if not self._open:
            return False
        try:
            data = os.read(self._read_end, _READ_SIZE)
        except BlockingIOError:
            return False
        if data:
            self._receive(data)
        else:
            self._stop()
        return bool(data)

    def _stop(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._read_end)
            os.close(self._read_end)


def open_pipes(*receivers: Callable[[bytes], None]) -> tuple[Pipe, ...]:
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


class Tail:
    """The last `limit` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()

    def append(self, data: bytes) -> None:
        """Add what came, forget what is too old."""
        self._data += data[-self._limit :]
        del self._data[: -self._limit]

    def __str__(self) -> str:
        return self._data.decode(errors="replace")


class _Exit(asyncio.SubprocessProtocol):
    """Knows when the process itself has ended, whatever its children do."""

    def __init__(self) -> None:
        self.seen = asyncio.get_running_loop().create_future()

    def process_exited(self) -> None:
        self.seen.set_result(None)


class ProcessTree:
    """A running child and all that it starts. Make one with `start`; `end` it in every case."""

    def __init__(self, transport: asyncio.SubprocessTransport, exit_: _Exit, mark: str) -> None:
        self._transport = transport
        self._exit = exit_
        self._mark = mark
        self._ending: asyncio.Task[None] | None = None
        self.pid = transport.get_pid()

    @classmethod
    async def start(
        cls,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        stderr: Pipe,
        descriptors: Iterable[int] = (),
        owner: str = NO_OWNER,
    ) -> "ProcessTree":
        """Start `command` with nothing on stdin and stdout, and with some open descriptors.

        `owner` is for `kill_orphans`. Raises OSError where the command cannot be started.
        """
        mark = f"{owner}/{uuid.uuid4().hex}"
        transport, exit_ = await asyncio.get_running_loop().subprocess_exec(
            _Exit,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr.write_end,
            env={**environment, MARK: mark},
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )
        return cls(transport, exit_, mark)

    @property
    def exited(self) -> "asyncio.Future[None]":
        """Done when the process itself has ended; its children may live on."""
        return self._exit.seen

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, None while the process runs."""
        return self._transport.get_returncode()

    def memory(self) -> int | None:
        """Return the bytes of memory (RSS) that the process itself holds; None if it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return None

    async def prune(self) -> None:
        """Kill all but the process itself."""
        await asyncio.to_thread(_sweep, self._mark, spare=self.pid)

    async def end(self, *, grace: float = GRACE) -> None:
        """End the whole tree: SIGTERM, `grace` seconds (0: at once) later SIGKILL.

        Returns when the process is gone, and not before, even if its caller is cancelled
        meanwhile, once or again; the cancellation is raised afterwards.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(grace))
        await until_done(self._ending)

    async def _end(self, grace: float) -> None:
        try:
            if grace and not self.exited.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait({self.exited}, timeout=grace)
        finally:  # the loop may be closing, and cancelling all its tasks
            self._signal(signal.SIGKILL)
            try:
                await asyncio.wait({self.exited})
                await asyncio.to_thread(_sweep, self._mark)
            finally:
                self._transport.close()

    def _signal(self, number: signal.Signals) -> None:
        # ProcessLookupError: no member is left. PermissionError: macOS, for a group of zombies.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def kill_orphans(owner: str) -> None:
    """Kill the processes that former servers of an output folder have left behind.

    The caller holds the folder's lock, so that no other server of it lives, and has started no
    process yet. Without a lock (`NO_OWNER`) nothing is killed.
    """
    if owner != NO_OWNER:
        _kill(lambda mark: mark.partition("/")[0] == owner)


def _sweep(mark: str, *, spare: int = 0) -> None:
    """Kill the processes of a tree, whatever group they are in, but for one."""
    _kill(lambda found: found == mark, spare=spare)


def _kill(wanted: Callable[[str], bool], *, spare: int = 0) -> None:
    for pid in psutil.pids():
        if pid in {spare, os.getpid()}:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if wanted(process.environ().get(MARK, "")):
                process.kill()
