"""Listeners that do not read what they are sent, and a server that stops with all that listen."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, Snapshot, Status
from tests.support.jobs import text_key
from tests.support.server import Serve
from tests.support.streams import events
from tests.support.web import PATIENCE, Served, served

pytestmark = pytest.mark.integration

SEED = re.compile(rb'"seed":([0-9]+)[,}]')  # a piece of the stream may end within a number
EVENTS, BYTES = 300, 100_000
MOST = EVENTS * BYTES // 2
"""Bytes that both kernels' buffers and the server's together never hold."""


def event(number: int) -> JobEvent:
    """An event of many bytes; the job's seed is its number."""
    job = Job(
        key=text_key(str(number % 3)),
        status=Status.IN_PROGRESS,
        params={"prompt": "x" * BYTES},
        total_images=1,
        images=0,
        seed=number,
        attempts=1,
        created_at=1.0,
        started_at=2.0,
    )
    return JobEvent(Change.STARTED, Snapshot(job))


@asynccontextmanager
async def slow_client(site: Served) -> AsyncIterator[asyncio.StreamReader]:
    """Listen to all jobs, and read no more than a few bytes until the reader is asked for them."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(0)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"id: ")
        yield reader
    finally:
        writer.transport.abort()


async def flood(site: Served) -> None:
    """Tell a listener that reads of more than buffers hold, one event after the other."""
    async with site.client.get("/events") as response:
        stream = events(response)
        for number in range(1, EVENTS + 1):
            site.bus.publish(event(number))
            assert (await anext(stream)).entry["seed"] == number


async def until(reader: asyncio.StreamReader, number: int) -> tuple[int, list[int]]:
    """Read up to an event; return how many bytes there were, and the events' numbers."""
    count, rest, numbers = 0, b"", list[int]()
    async with asyncio.timeout(PATIENCE):
        while number not in numbers:
            data = await reader.read(65536)
            assert data, "the stream has ended"
            count += len(data)
            rest = rest[-30:] + data
            numbers += [int(seed) for seed in SEED.findall(rest) if int(seed) not in numbers]
    return count, numbers


async def test_a_slow_listener_is_brought_up_to_date_and_holds_up_nobody(tmp_path: Path) -> None:
    async with served(tmp_path) as site, slow_client(site) as slow:
        await flood(site)
        count, numbers = await until(slow, EVENTS)
        assert count < MOST
        assert len(numbers) < EVENTS / 2
        assert numbers[-3:] == [EVENTS - 2, EVENTS - 1, EVENTS]  # the last of each job
        site.bus.publish(event(EVENTS + 1))
        assert (await until(slow, EVENTS + 1))[1][-1] == EVENTS + 1


async def test_a_stop_does_not_wait_for_a_slow_listener(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as clients:
        async with asyncio.timeout(PATIENCE), served(tmp_path, shutdown_timeout=3600) as site:
            slow = await clients.enter_async_context(slow_client(site))
            await flood(site)
        with contextlib.suppress(ConnectionError):
            while await slow.read(65536):
                pass


async def test_a_stop_ends_every_open_stream(serve: Serve) -> None:
    """Each with its last chunk: a client that reads one to its end sees no error."""
    async with serve("--grace", "60") as server, server.client() as client:
        form = {"prompt": "a boat", "iterations": 100, "steps": 50}
        async with client.post("/text-to-image", json=form, allow_redirects=False) as response:
            running = response.headers["Location"]
        async with client.post("/text-to-image", json={"prompt": "a hill"}) as response:
            waiting = response.url.path
        paths = ["/events"] * 20 + [f"{waiting}/events"] * 20 + [f"{running}/events"]
        streams = [await client.get(path) for path in paths]
        held = asyncio.create_task(client.get(waiting, params={"wait": "60"}))
        firsts = [await anext(events(stream)) for stream in streams]
        assert {first.kind for first in firsts} <= {"status", "progress", "image"}
        async with client.post(f"{running}/cancel"):
            pass
        await server.stop()
        for stream in streams:
            await stream.read()
        assert (await held).status in {200, 503}
