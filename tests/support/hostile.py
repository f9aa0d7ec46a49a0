"""A server with a fake fork that writes down how its scripts were started."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.running import copy_fork
from tests.support.server import PATIENCE, Serve, Server

_RECORDING = """
import json, sys
from pathlib import Path
with Path("started.jsonl").open("a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
import sampling
sampling.main()
"""


@dataclass
class Target:
    """A server under attack, a client of it, and the repository with its scripts."""

    server: Server
    client: aiohttp.ClientSession
    repository: Path
    _honest_jobs: int = 0

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """The TLS context for the server, made once: making it blocks the event loop."""
        return ssl.create_default_context(cafile=self.server.cert)

    async def raw(self, request: bytes) -> bytes:
        """Send bytes over TLS; return all of the answer's head and the beginning of its body."""
        port = int(self.server.url.rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.trust)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                return await reader.read(65_536)
        finally:
            writer.transport.abort()

    async def post(self, kind: str = "text-to-image", **form: Any) -> tuple[int, str]:
        """Send a request for a job; return the status, and its path or the error's code."""
        async with self.client.post(kind, **form, allow_redirects=False) as answer:
            if answer.status == 302:
                return 302, answer.headers["Location"]
            assert answer.status < 500, await answer.text()
            return answer.status, (await answer.json())["error"]["code"]

    async def job(self, **fields: str) -> dict[str, Any]:
        """Submit a job, wait for the end of its job, and return its JSON."""
        status, url = await self.post(data={"height": "256", "width": "256", **fields})
        assert status == 302, url
        return await self.end(url)

    async def end(self, url: str) -> dict[str, Any]:
        """Wait for the end of a job and return its JSON."""
        await self.server.out.end_of(url.rpartition("/")[2])
        async with self.client.get(url) as answer:
            job: dict[str, Any] = await answer.json()
            return job

    async def is_well(self) -> None:
        """Check that an ordinary job completes."""
        self._honest_jobs += 1
        job = await self.job(prompt="paint", seed=str(1_000_000 + self._honest_jobs))
        assert job["status"] == "COMPLETE"

    def started(self) -> list[list[str]]:
        """Return the argv of each script that was started."""
        path = self.repository / "started.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]


@asynccontextmanager
async def target(serve: Serve, folder: Path, *flags: str, **options: Any) -> AsyncIterator[Target]:
    """Start a server to attack."""
    repository = folder / "stable-diffusion"
    copy_fork(repository)
    (repository / "scripts" / "txt2img.py").write_text(_RECORDING)
    async with (
        serve("--python", sys.executable, *flags, **options) as server,
        server.client() as client,
    ):
        yield Target(server, client, repository)
