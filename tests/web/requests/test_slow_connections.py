"""Clients that are slow or stuck cost the others nothing."""

import asyncio
import os
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from sdrest.settings import Settings
from sdrest.web.monitoring.traffic import TRAFFIC, Traffic
from sdrest.web.requests.connections import Connections
from sdrest.web.requests.proxy import PROXIES, Proxies
from sdrest.web.server import Runner
from tests.support.web import PATIENCE, Served, served

pytestmark = pytest.mark.integration

SLOW = 60
JOB = {"prompt": "paint", "height": "256", "width": "256"}


async def test_an_answer_that_is_not_read_is_aborted() -> None:
    ended = asyncio.Event()

    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(1024 * 1024))
        except ConnectionError:
            ended.set()
            raise

    app = web.Application()
    app[TRAFFIC] = Traffic(CollectorRegistry(), {})
    app[PROXIES] = Proxies(Settings())
    app.router.add_get("/", send)
    runner = Runner(app, access_log=None, shutdown_timeout=1, unread_seconds=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
        writer.transport.abort()
    finally:
        await runner.cleanup()


class Ended(asyncio.Protocol):
    """Tells when a connection has ended."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.event.set()


async def test_a_last_answer_that_is_not_read_is_aborted_too() -> None:
    """The handler is done, the connection is to be closed, and its buffer does not empty."""
    near, far = socket.socketpair()
    with far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        transport, ended = await asyncio.get_running_loop().create_connection(Ended, sock=near)
        transport.write(bytes(60_000))
        watched = Connections(patience=0.1)
        watched.add(transport)
        transport.close()
        async with asyncio.timeout(PATIENCE):
            await ended.event.wait()
        watched.discard(transport)


async def test_a_connection_over_the_limit_is_refused() -> None:
    made = Connections(patience=60)
    made._limit = 1
    loop = asyncio.get_running_loop()
    near, far = socket.socketpair()
    other, other_far = socket.socketpair()
    with far, other_far:
        first, _ = await loop.create_connection(asyncio.Protocol, sock=near)
        second, _ = await loop.create_connection(asyncio.Protocol, sock=other)
        made.add(first)
        made.add(second)
        assert not first.is_closing()
        assert second.is_closing()
        made.discard(first)
        first.close()
        await asyncio.sleep(0)


async def slow(site: Served, request: bytes) -> asyncio.StreamWriter:
    """Open a connection that says the beginning of a request, and no more."""
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(request)
    await writer.drain()
    return writer


async def test_an_honest_client_is_served_while_many_hang(tmp_path: Path) -> None:
    upload = (
        b"POST /image-to-image HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=B\r\n\r\n"
        b'--B\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    )
    async with served(tmp_path) as site:
        url = await site.job("/text-to-image", data=JOB)
        unread = f"GET {url}/1.png HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50
        kinds = [b"GET /text-to-image HTTP/1.1\r\nHost: loc", upload + os.urandom(2000), unread]
        hanging = [await slow(site, kinds[n % 3]) for n in range(SLOW)]
        try:
            url = await site.job("/text-to-image", data={**JOB, "seed": "7"})
            async with aiohttp.ClientSession() as another:
                address = f"http://127.0.0.1:{site.port}{url}"
                async with another.get(address) as response:
                    assert (await response.json())["status"] == "COMPLETE"
        finally:
            for writer in hanging:
                writer.transport.abort()
