"""Sends bad requests to a server, and judges its answers."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from random import Random

import psutil

from tests.fuzz.bad import TOKEN, Bad, bad
from tests.support.server import PATIENCE, Server

_AT_ONCE = 12
_GLANCE = 0.05
"""Seconds to wait for an answer that may not come: until the next request, not until a verdict."""

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_LEAK = re.compile(rb"Traceback|site-packages|\.py\b|aiohttp|" + TOKEN.encode())
_MOST = 200_000


@dataclass(slots=True)
class Report:
    """The result. `wrong` has each answer that should not have been sent."""

    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    @property
    def grown(self) -> int:
        """Bytes that the server's memory has grown by since a fifth of the requests was sent."""
        return self.memory[-1] - self.memory[len(self.memory) // 5]


async def fuzz(server: Server, *, seed: int, count: int) -> Report:
    """Send `count` bad requests, a few at a time."""
    random, report = Random(seed), Report()
    process = psutil.Process(server.process.pid)
    port = int(server.url.rstrip("/").rpartition(":")[2])
    folder = str(server.folder).encode()
    for start in range(0, count, _AT_ONCE):
        requests = [bad(random) for _ in range(min(_AT_ONCE, count - start))]
        answers = await asyncio.gather(*(_send(port, request) for request in requests))
        for request, answer in zip(requests, answers, strict=True):
            _judge(report, request, answer, folder)
        if start % (_AT_ONCE * 20) == 0:
            report.memory.append(process.memory_info().rss)
    report.memory.append(process.memory_info().rss)
    return report


def _judge(report: Report, request: Bad, answer: bytes | None, folder: bytes) -> None:
    report.kinds[request.kind.partition(",")[0]] += 1
    status = "none" if not answer else answer.split(b" ", 2)[1][:3].decode("latin-1")
    report.statuses[status] += 1
    page = b"text/javascript" in (answer or b"") or b"text/html" in (answer or b"")
    leaks = answer is not None and (folder in answer or (_LEAK.search(answer) and not page))
    lost = answer is None and request.complete
    if status.startswith("5") or leaks or lost:
        report.wrong.append(f"{request.kind}: {request.content[:600]!r} -> {answer!r}")


async def _send(port: int, request: Bad) -> bytes | None:
    """Return the beginning of the answer; None: there was none in time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE if request.complete else _GLANCE):
            writer.write(request.content)
            return await _answer(reader)
    except TimeoutError:
        return None
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100 "):
        head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head + (await reader.read(min(int(length[1]), _MOST)) if length else b"")
