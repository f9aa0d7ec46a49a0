"""An ordinary client, which must be served after all bad requests."""

import sys
from pathlib import Path

from tests.fuzz.bad import TOKEN
from tests.support.server import Server

FLAGS = (
    *("--plain-http", "--max-upload", "1", "--max-queue", "20", "--concurrency", "2"),
    *(
        "--repository",
        str(Path(__file__).parents[1] / "fakes" / "fork"),
        "--python",
        sys.executable,
    ),
)
"""Flags of the fuzzed server; its scripts are the fake fork's."""


async def complete_a_job(server: Server) -> None:
    """Submit a job and check that it completes."""
    form = {"prompt": "paint", "height": "256", "width": "256", "seed": "12345"}
    async with server.client(Authorization=f"Bearer {TOKEN}") as client:
        async with client.post("text-to-image", data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            url = answer.headers["Location"]
        await server.out.line(f"{url.rpartition('/')[2]} Done")
        async with client.get(url) as answer:
            job = await answer.json()
            assert job["status"] == "COMPLETE"
        async with client.get(job["imageUrls"][0]) as answer:
            assert (await answer.read()).startswith(b"\x89PNG")
