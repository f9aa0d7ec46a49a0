"""The flags about hosts that stay, on the real server."""

import asyncio
import sqlite3
from contextlib import closing

import aiohttp
import pytest

from tests.support.server import PATIENCE, Serve

pytestmark = pytest.mark.integration

JOB = {"prompt": "a red circle", "steps": 2, "width": 256, "height": 256}


async def finished(client: aiohttp.ClientSession, **fields: object) -> None:
    """Ask for a picture and wait until it is there."""
    async with client.post("text-to-image", json={**JOB, **fields}) as answer:
        url = answer.url
        status = (await answer.json())["status"]
    async with asyncio.timeout(PATIENCE):
        while status != "COMPLETE":
            async with client.get(url) as answer:
                status = (await answer.json())["status"]
            await asyncio.sleep(0)


async def test_log_level_debug_logs_runners_and_peak_memory(serve: Serve) -> None:
    flags = ("--log-level", "debug", "--keep-alive", "-1", "--preload")
    async with serve(*flags, warns=True) as server, server.client() as client:
        await finished(client, seed=1)
        await finished(client, seed=2, keepAlive=0)
        await server.err.line("MiB after its job")
        await server.err.line("ended")
        runners = [line for line in server.err.lines if "started" in line]
        assert len(runners) == 1
        with closing(sqlite3.connect(server.folder / "output/.sdrest/jobs.sqlite3")) as table:
            peaks = [peak for (peak,) in table.execute("SELECT peak_rss FROM jobs")]
        assert len(peaks) == 2
        assert all(peak > 2**20 for peak in peaks)
