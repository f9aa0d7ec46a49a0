"""`python -m benchmarks.event_clients PORT JOB LISTENERS`: clients that listen to a job over TLS.

Prints `listening` when every stream is open, and at the job's end, as JSON, when half of the
listeners and the last of them had each bar, and how many events each got on average.
"""

import asyncio
import gc
import json
import re
import ssl
import sys
import time
from statistics import median_high
from typing import cast

Bar = tuple[int, int]

_MAX_CONNECTING = 50
"""Connections opened at the same time."""

_PROGRESS = re.compile(rb'"currentImageIndex":(\d+),"currentImageProgress":([\d.e-]+)')
_END = b'"status":"COMPLETE"'
_LAST = (10**6, 0)
"""The bar that stands for the job's end."""

_TIMEOUT = 600.0


class Stream(asyncio.Protocol):
    """One client of an event stream; records when each event comes."""

    def __init__(self, request: bytes) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.received: list[tuple[float, bytes]] = []
        self._request = request
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Record the bytes with their time; they are parsed at the end."""
        self.received.append((time.monotonic(), data))
        if not self.opened.done() and b"event: " in data:
            self.opened.set_result(None)
        if data.endswith(b"0\r\n\r\n") and self._transport:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Resolve the futures, also for a stream that ended early."""
        for future in (self.opened, self.ended):
            if not future.done():
                future.set_result(None)


async def listen(port: int, job: str, count: int) -> list[Stream]:
    """Listen until the job's end."""
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate was made for this run
    request = f"GET {job}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    streams: list[Stream] = []
    room = asyncio.Semaphore(_MAX_CONNECTING)

    async def connect() -> None:
        async with room:
            _, stream = await loop.create_connection(
                lambda: Stream(request), "127.0.0.1", port, ssl=context
            )
            await stream.opened
            streams.append(stream)

    async with asyncio.timeout(_TIMEOUT):
        await asyncio.gather(*(connect() for _ in range(count)))
        print("listening", flush=True)
        gc.collect()
        gc.disable()
        await asyncio.gather(*(stream.ended for stream in streams))
    return streams


def arrivals(streams: list[Stream]) -> dict[Bar, list[float]]:
    """Return when each bar, or a later one, reached each listener; at last the job's end."""
    own = []
    for stream in streams:
        firsts: dict[Bar, float] = {}
        for moment, data in stream.received:
            for index, fraction in _PROGRESS.findall(data):
                firsts.setdefault((int(index), round(float(fraction) * 100)), moment)
            if _END in data:
                firsts[_LAST] = moment
        own.append(firsts)
    times: dict[Bar, list[float]] = {bar: [] for bar in sorted(set().union(*own))}
    for firsts in own:
        moment = float("inf")
        for bar in reversed(times):
            moment = firsts.get(bar, moment)
            times[bar].append(moment)
    return times


def main() -> None:
    """Listen, then report."""
    port, job, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    try:
        import uvloop  # noqa: PLC0415 (it is faster, where it is installed)

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        streams = runner.run(listen(port, job, count))
    times = arrivals(streams)
    if max(times[_LAST]) == float("inf"):
        sys.exit("A client did not receive the job's end.")
    events = sum(data.count(b"event: ") for stream in streams for _, data in stream.received)
    result = {
        "last": [(*bar, max(moments)) for bar, moments in times.items()],
        "median": [(*bar, median_high(moments)) for bar, moments in times.items()],
        "events": events / count,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
