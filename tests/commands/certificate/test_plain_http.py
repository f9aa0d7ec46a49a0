"""Plain HTTP on the port of TLS: answered, whatever is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sdrest.commands.certificate.files import Pair, context
from sdrest.commands.loop import loop_factory
from sdrest.web.tls import ServerContext
from tests.support.server import PATIENCE, Server, starter

pytestmark = pytest.mark.integration


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send bytes in parts, and return the answer, which ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("loop", ["default", "asyncio"])
@pytest.mark.parametrize(
    ("parts", "status", "location"),
    [
        ((b"GET /jobs?limit=1 HTTP/1.1\r\nHost: box.example:8888\r\n\r\n",),
         308, "https://box.example:8888/jobs?limit=1"),
        ((b"HEAD / HTTP/1.1\r\nhost:127.0.0.1\r\n\r\n",), 308, "https://127.0.0.1/"),
        ((b"GET / HTTP/1.1\r\nAccept: */*\r\nHost: [::1]:8888\r\n\r\n",), 308, "https://[::1]:8888/"),
        ((b"POST /text-to-image HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n",
          b"x" * 200000), 308, "https://a/text-to-image"),
        ((b"G", b"ET / HT", b"TP/1.1\r", b"\nHost: a\r\n", b"\r", b"\n"), 308, "https://a/"),
        ((b"GET / HTTP/1.0\r\n\r\n",), 400, None),
        ((b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",), 400, None),
        ((b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",), 400, None),
        ((b"POST / HTTP/1.1\r\nHost: a\r\ncontent-length:3\r\n\r\na=b",), 308, "https://a/"),
        ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), 400, None),
    ],
)  # fmt: skip
def test_plain_http_on_the_tls_port_is_answered(
    certificate: Path, loop: str, parts: tuple[bytes, ...], status: int, location: str | None
) -> None:
    async def ask() -> bytes:
        tls = ServerContext(context(Pair(certificate / "cert.pem", certificate / "key.pem")))
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, "127.0.0.1", 0, ssl=tls
        )
        async with server:
            return await exchange(server.sockets[0].getsockname()[1], *parts)

    with asyncio.Runner(loop_factory=None if loop == "asyncio" else loop_factory()) as runner:
        answer = runner.run(ask())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    lines = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:])
    assert lines.get("Location") == location
    assert lines["Connection"] == "close"
    assert len(body) == (0 if parts[0].startswith(b"HEAD") else int(lines["Content-Length"]))
    assert not body or b"This server speaks HTTPS." in body


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(
    certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """One server for all that only connect to it."""
    async with starter(tmp_path_factory.mktemp("shared"), certificate)() as server:
        yield server


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["no end of the head", "chunks", "a body that waits"],
)
async def test_plain_http_is_answered_before_its_body(shared: Server, request_: bytes) -> None:
    port = int(shared.url.rstrip("/").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_)
    async with asyncio.timeout(PATIENCE):
        assert b"Location: https://a/\r\n" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_server_answers_plain_http_and_tls_on_one_port(shared: Server) -> None:
    port = int(shared.url.rstrip("/").rpartition(":")[2])
    answer = await exchange(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"Location: https://localhost/healthz\r\n" in answer
    async with shared.client() as client, client.get("healthz") as health:
        assert health.status == 200
    assert shared.err.lines == []


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(
    "data", [b"SSH-2.0-OpenSSH_9.9\r\n", b"\x00" * 64, b"GET /\r\n", b"\x80\x2e\x01"]
)
async def test_what_is_neither_tls_nor_http_ends_the_connection(
    shared: Server, data: bytes
) -> None:
    port = int(shared.url.rstrip("/").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(PATIENCE):
        try:
            writer.write_eof()
            left = await reader.read()
        except OSError:  # the server has closed the connection already
            left = b""
    assert not left.startswith(b"HTTP/")
    writer.close()
    assert shared.err.lines == []
