"""A server, a worker, and a scheduler of Dask beside them, as the documentation starts it."""

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from sdrest.commands.cluster.credentials import make
from tests.fakes.running import Lifeline
from tests.support.cluster import job_until, open_for_all, ready_workers, worker
from tests.support.fake_fork import post
from tests.support.ports import free_port
from tests.support.server import Serve, environment

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[3] / "docs" / "cluster.md"


def command(port: int) -> list[str]:
    """Return the command of the documentation, with another port."""
    (text,) = (one for one in DOCUMENT.read_text().split("```") if "dask scheduler" in one)
    words = shlex.split(text.removeprefix("sh").replace("\\\n", ""))
    words[words.index("--port") + 1] = str(port)
    return [sys.executable, "-m", *words]


@asynccontextmanager
async def scheduler(folder: Path, port: int) -> AsyncIterator[None]:
    """Run a scheduler in the folder of its credentials; it is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        *command(port),
        cwd=folder,
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_jobs_go_on_when_a_scheduler_that_was_killed_is_back(
    tmp_path: Path, serve: Serve, lifeline: Lifeline
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    front, own = make(tmp_path)
    port = free_port()
    address = f"tls://127.0.0.1:{port}"
    flags = ("--scheduler", address, "--cluster-credentials", str(front), "--concurrency", "0")
    credentials = ("--cluster-credentials", str(own))
    async with AsyncExitStack() as first:
        await first.enter_async_context(scheduler(tmp_path, port))
        async with (
            serve(*flags, warns=True) as server,
            worker(address, "attic", *credentials, folder=tmp_path) as attic,
        ):
            await ready_workers(server, 1)
            prompt = f"wait_between gate={gate} lifeline={lifeline.path}"
            path = await post(server, prompt, iterations=2)
            await job_until(server, path, imageUrls=[f"{path}/1.png"])
            await first.aclose()
            await server.err.line(f"The scheduler at {address} does not answer; trying again.")
            await server.err.line("is requeued")
            await attic.err.line("is lost. Connecting again.")
            shown = await job_until(server, path, status="QUEUED", waiting=...)
            assert shown["waiting"]["code"] == "no_worker"
            async with scheduler(tmp_path, port):
                opening = asyncio.create_task(open_for_all(gate))
                shown = await job_until(server, path, status="COMPLETE")
                opening.cancel()
                assert shown["imageUrls"] == [f"{path}/1.png", f"{path}/2.png"]
    assert await lifeline.all_gone()
