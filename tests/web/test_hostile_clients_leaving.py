"""A client that leaves while it is being answered is nothing for the log."""

from pathlib import Path

import pytest

from tests.support.hostile import target
from tests.support.server import Serve

pytestmark = pytest.mark.integration

SIZE = 20_000_000
"""More than the buffers between a server and a client hold."""


async def test_clients_that_disconnect_during_an_image_leave_the_log_empty(
    serve: Serve, tmp_path: Path
) -> None:
    async with target(serve, tmp_path) as it:
        job = await it.job(prompt="paint")
        image = tmp_path / "output" / job["imageUrls"][0].removeprefix("/")
        image.write_bytes(image.read_bytes() + bytes(SIZE))
        request = f"GET {job['imageUrls'][0]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(100):
            await it.raw(request)
        await it.is_well()
