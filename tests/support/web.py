"""The application on a socket of this process, with the fake fork behind it."""

import asyncio
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.settings import Settings
from sdrest.web.app import create_app
from sdrest.web.live.event_hub import HEARTBEAT_SECONDS
from sdrest.web.server import Runner
from sdrest.web.webhooks.sender import FIRST_PAUSE

FORK = Path(__file__).parents[1] / "fakes" / "fork"
PATIENCE = 30.0


@dataclass
class Served:
    """A served application: a client whose paths are relative to it, and its folder of output.

    An event published on `bus` is treated as if it had happened.
    """

    client: aiohttp.ClientSession
    bus: Bus
    port: int
    output: Path
    changes: defaultdict[tuple[str, Change], asyncio.Event]

    async def job(self, path: str, *, prefix: str = "", **form: Any) -> str:
        """Submit a job and wait for its end; return its path, which begins with `prefix`."""
        async with self.client.post(path, **form, allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            url = response.headers["Location"]
        await self.until(url.removeprefix(prefix), Change.FINISHED)
        return url

    async def until(self, url: str, change: Change) -> None:
        """Wait until something has happened to a job since the last time that this was awaited."""
        async with asyncio.timeout(PATIENCE):
            await self.changes[url, change].wait()
        self.changes[url, change].clear()

    async def raw(self, request: bytes) -> bytes:
        """Send bytes, and return the first answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
        writer.transport.abort()
        return head + body

    def spooled(self) -> list[Path]:
        """Return the files in the spool."""
        return list((self.output / ".sdrest" / "spool").iterdir())


@asynccontextmanager
async def served(
    folder: Path,
    *,
    heartbeat: float = HEARTBEAT_SECONDS,
    shutdown_timeout: float = 1,
    webhook_pause: float = FIRST_PAUSE,
    **flags: Any,
) -> AsyncIterator[Served]:
    """Serve an application over plain HTTP, with its output in `folder`.

    `repository=None` leaves that flag away: the bundled engine draws.
    """
    fork = {"repository": str(FORK), "python": sys.executable}
    flags = {"output": str(folder / "output"), **fork, **flags}
    flags = {name: value for name, value in flags.items() if value is not None}
    bus = Bus()
    changes: defaultdict[tuple[str, Change], asyncio.Event] = defaultdict(asyncio.Event)

    def note(event: JobEvent) -> None:
        changes[event.snapshot.job.key.url, event.change].set()

    bus.subscribe(note)
    app = create_app(
        Settings(**flags, given=frozenset(flags)),
        bus=bus,
        heartbeat=heartbeat,
        webhook_pause=webhook_pause,
    )
    runner = Runner(app, access_log=None, shutdown_timeout=shutdown_timeout)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        timeout = aiohttp.ClientTimeout(PATIENCE)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as client:
            yield Served(client, bus, port, Path(flags["output"]), changes)
    finally:
        await runner.cleanup()
