"""Workers as child processes, `python -m sdrest worker`, and servers whose jobs they run."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.fakes.running import FORK
from tests.support.fake_fork import FAKE
from tests.support.hosts import Host
from tests.support.server import PATIENCE, Output, Server, environment

FRONT = ("--cluster", "tcp://127.0.0.1:0", "--concurrency", "0")
"""The flags of a server whose jobs only workers run."""

MODELS = (
    *("--text-to-image-model", str(FORK / "models/ldm/stable-diffusion-v1/model.ckpt")),
    *("--inpaint-image-model", str(FORK / "models/ldm/inpainting_big/last.ckpt")),
)


class Worker:
    """A running worker; `out` and `err` are what it says."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        assert process.stderr
        self.name = name
        self.process = process
        self.out = Output(process.stdout)
        self.err = Output(process.stderr)

    def runs(self, pid: int) -> bool:
        """Whether a process is the worker's."""
        return self.process.pid in [parent.pid for parent in psutil.Process(pid).parents()]

    async def ended(self) -> int:
        """Wait until it has ended; return its exit status."""
        async with asyncio.timeout(PATIENCE):
            await self.out.all()
            await self.err.all()
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill it, if it runs still; wait until it has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()


W = TypeVar("W", bound=Worker)


async def cluster_address(server: Server) -> str:
    """Return the address at which a server's workers connect."""
    line = await server.out.line("Workers connect with")
    return line.rpartition(" ")[2].strip("`.")


async def start(*command: str, folder: Path, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a program in `folder`, with pipes for what it says."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def killed(found: W) -> AsyncIterator[W]:
    """Kill a worker at the end, if it runs still; an error of the test shows what it said."""
    try:
        yield found
    except BaseException as error:
        await found.kill()
        lines = [f"{found.name} stdout:", *found.out.lines, "stderr:", *found.err.lines]
        error.add_note("\n".join(lines))
        raise
    finally:
        await found.kill()


@asynccontextmanager
async def worker(
    address: str, name: str, *flags: str, folder: Path, host: Host | None = None
) -> AsyncIterator[Worker]:
    """Run a worker with the fake fork in a folder of its own, here or on a host; killed afterwards.

    On a host it does not see the server's pictures.
    """
    place = folder / name
    place.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "sdrest", "worker", address, "--name", name]
    process = await start(
        *(host.command(*command, without=folder / "output") if host else command),
        *(*FAKE, *MODELS, *flags),
        folder=place,
        env=environment(XDG_CACHE_HOME=str(place), TMPDIR=str(place)),
    )
    async with killed(Worker(name, process)) as found:
        yield found


async def job(server: Server, path: str) -> dict[str, Any]:
    """Return a job as the server shows it."""
    async with server.client() as client, client.get(path) as answer:
        shown: dict[str, Any] = await answer.json()
        return shown


async def job_until(server: Server, path: str, **wanted: Any) -> dict[str, Any]:
    """Return a job once its fields have these values, or it has all of them where `...`."""
    async with asyncio.timeout(PATIENCE), server.client() as client:
        while True:
            async with client.get(path) as answer:
                shown: dict[str, Any] = await answer.json()
            if all(name in shown and value in (..., shown[name]) for name, value in wanted.items()):
                return shown
            await asyncio.sleep(0.05)


async def workers(server: Server) -> list[dict[str, Any]]:
    """Return what the server says of its workers."""
    async with server.client() as client, client.get("/workers") as answer:
        found: list[dict[str, Any]] = (await answer.json())["workers"]
        return found


async def ready_workers(server: Server, count: int) -> list[dict[str, Any]]:
    """Return the workers once so many can run jobs, and none does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await workers(server)
            if [(one["state"], one["jobs"]) for one in found] == [("ready", [])] * count:
                return found
            await asyncio.sleep(0.1)


async def open_for_all(gate: Path) -> None:
    """Let every script that waits at a gate, now or later, go on."""
    while True:
        with suppress(OSError):  # nobody waits
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        await asyncio.sleep(0.05)
