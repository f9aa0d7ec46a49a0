"""A cable between the front and a worker: TCP that stops in the middle of a transfer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Carries bytes from its own `port` to another one, until a direction has carried its most.

    Then nothing passes any more, and no connection ends: a cable that is out.
    """

    def __init__(self) -> None:
        self.port = 0
        self.target: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.most: dict[str, float] = {"there": float("inf"), "back": float("inf")}
        """Bytes that pass in each direction."""
        self.cut = asyncio.Event()
        self._whole = asyncio.Event()
        self._whole.set()

    def unplug(self) -> None:
        """Let nothing pass."""
        self._whole.clear()
        self.cut.set()

    def plug(self) -> None:
        """Let all pass, what was on its way too."""
        self.most = dict.fromkeys(self.most, float("inf"))
        self._whole.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the bytes of a connection."""
        try:
            port = await self.target
            await self._whole.wait()
            with suppress(OSError):
                other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._carry("there", reader, other_writer))
                    both.create_task(self._carry("back", other_reader, writer))
        finally:
            writer.close()

    async def _carry(
        self, direction: str, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(1 << 16):
                    self.most[direction] -= len(data)
                    if self.most[direction] < 0:
                        self.unplug()
                    await self._whole.wait()
                    target.write(data)
                    await target.drain()
        finally:
            target.close()


@asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    """Give a relay on loopback."""
    relay = Relay()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        relay.plug()
        server.close()
