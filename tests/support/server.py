"""The real server as a child process: `python -m sdrest` in a folder of its own."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

import aiohttp
import psutil

PATIENCE = 60.0
"""Seconds after which something that should happen has not happened."""

_INSISTING = 0.2
"""Seconds between two signals of an impatient user."""

_STRICT = ("-W", "error", "-W", "ignore:unread_data() is deprecated:DeprecationWarning")
"""Warnings are errors; but aiohttp's own way of hiding this one is not safe among threads."""

_FOREIGN = ("SDREST_", "NO_COLOR", "FORCE_COLOR", "CURL_", "SSL_CERT_", "PYTHONWARNINGS")


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a child, without what the developer has set for the program."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }
    return {**kept, **changes}


def patient(folder: Path) -> dict[str, str]:
    """Return variables of a child that waits long for the stop that may follow a script's end.

    A busy machine may need more than `STOP_SECONDS` to let a test see that a script has ended.
    """
    folder.mkdir()
    program = f"import sdrest.engine.base\nsdrest.engine.base.STOP_SECONDS = {PATIENCE}\n"
    (folder / "sitecustomize.py").write_text(program)
    return {"PYTHONPATH": str(folder)}


def send_signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal a process that may just be ending.

    In Python 3.11 `Process.send_signal` reaps a process that has ended, and asyncio, which waits
    for it too, reports the exit status 255.
    """
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


class Output:
    """The lines of a stream, as they come."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Condition()
        self._ended = False
        self._task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            async with self._changed:
                self.lines.append(line.decode().rstrip("\n"))
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _find(self, text: str, count: int) -> str | None:
        found = (line for line in self.lines if text in line)
        return next(islice(found, count - 1, None), None)

    async def line(self, text: str, *, count: int = 1) -> str:
        """Return the first line that holds `text`, or the one of this `count`, past or to come."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self._ended or self._find(text, count))
        found = self._find(text, count)
        assert found is not None, f"no line with {text!r} in {self.lines}"
        return found

    async def end_of(self, job: str) -> None:
        """Wait until the latest line of a job says that it has ended."""

        def ends() -> bool:
            own_lines = [line for line in self.lines if job in line]
            return bool(own_lines) and (own_lines[-1].startswith(("success ", "error ")) or
                                   own_lines[-1].endswith((" Cancelled", " Deleted")))  # fmt: skip

        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self._ended or ends())

    async def all(self) -> list[str]:
        """Return every line, once the stream has ended."""
        async with asyncio.timeout(PATIENCE):
            await self._task
        return self.lines


class Server:
    """A running server. `folder` is its working folder, `url` what its first line says."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, cert: Path) -> None:
        assert process.stdout
        assert process.stderr
        self.process = process
        self.folder = folder
        self.cert = cert
        self.out = Output(process.stdout)
        self.err = Output(process.stderr)
        self.url = ""

    async def started(self) -> None:
        """Wait until it serves."""
        line = await self.out.line("Serving on ")
        self.url = line.rpartition(" ")[2]

    def client(self, **headers: str) -> aiohttp.ClientSession:
        """Return a client that trusts the server's certificate; paths are relative to its root."""
        secure = self.url.startswith("https:")
        context = ssl.create_default_context(cafile=self.cert) if secure else None
        return aiohttp.ClientSession(
            self.url.replace("0.0.0.0", "127.0.0.1"),
            connector=aiohttp.TCPConnector(ssl=context or True),
            timeout=aiohttp.ClientTimeout(PATIENCE),
            headers=headers,
        )

    async def ended(self) -> int:
        """Wait until the process has ended; return its exit status."""
        async with asyncio.timeout(PATIENCE):
            await self.out.all()
            await self.err.all()
            return await self.process.wait()

    async def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """End the server with a signal; return its exit status."""
        if self.process.returncode is None:
            send_signal(self.process, signal_number)
        return await self.ended()

    async def stop_at_once(self, signal_number: signal.Signals) -> int:
        """Signal a server that is stopping until it gives up what runs, as a person would."""
        async with asyncio.timeout(PATIENCE):
            while self.process.returncode is None:
                send_signal(self.process, signal_number)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_INSISTING):
                        await self.process.wait()
        return await self.ended()

    def signal_all(self, *numbers: signal.Signals, scripts_first: bool = True) -> None:
        """Signal the server and all that it started, as systemd does at a stop."""
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(self.process.pid)
            processes = [*server.children(recursive=True), server]
            for process in processes if scripts_first else reversed(processes):
                for number in numbers:
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(number)


Serve = Callable[..., AbstractAsyncContextManager[Server]]
"""`serve(*flags, env={}, folder=..., warns=False, status=0)`: see `running`."""


@asynccontextmanager
async def running(
    folder: Path,
    cert: Path,
    *flags: str,
    env: Mapping[str, str] | None = None,
    warns: bool = False,
    status: int = 0,
) -> AsyncIterator[Server]:
    """Run a server on a free port; afterwards end it and check that it ended well.

    It must leave with `status` and an empty stderr (`warns`: warnings are no surprise, nor is what
    `--log-level debug` says).
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *_STRICT, "-m", "sdrest", "--port", "0", *flags),
        cwd=folder,
        env=environment(**(env or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    server = Server(process, folder, cert)
    try:
        await server.started()
        yield server
        left = await server.stop()
    except BaseException as error:
        if process.returncode is None:
            send_signal(process, signal.SIGKILL)
        await process.wait()
        error.add_note("\n".join(["stdout:", *server.out.lines, "stderr:", *server.err.lines]))
        raise
    complaints = [
        line for line in server.err.lines if not (warns and line.startswith(("warning ", "info ")))
    ]
    assert not complaints, complaints
    assert left == status


def starter(folder: Path, certificate: Path) -> Serve:
    """Return a function that runs servers in `folder` with the session's certificate."""
    cert = certificate / "cert.pem"
    pair = ("--cert", str(cert), "--key", str(certificate / "key.pem"))

    def start(
        *flags: str,
        env: Mapping[str, str] | None = None,
        folder: Path = folder,
        warns: bool = False,
        status: int = 0,
    ) -> AbstractAsyncContextManager[Server]:
        return running(folder, cert, *pair, *flags, env=env, warns=warns, status=status)

    return start
