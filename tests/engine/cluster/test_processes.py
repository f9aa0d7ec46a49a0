"""A server and its workers as processes: what happens to jobs when a machine is lost."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from tests.support.cluster import FRONT, cluster_address, job_until, worker
from tests.support.fake_fork import post
from tests.support.server import Serve

pytestmark = pytest.mark.integration


async def open_for_all(gate: Path) -> None:
    """Let every script that waits at a gate, now or later, go on."""
    while True:
        with suppress(OSError):  # nobody waits
            os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
async def test_a_job_of_a_lost_worker_runs_again_elsewhere(
    tmp_path: Path, serve: Serve, fault: signal.Signals
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(*FRONT, warns=True) as server, AsyncExitStack() as stack:
        address = await cluster_address(server)
        first = await stack.enter_async_context(
            worker(address, "first", "--grace", "0", folder=tmp_path)
        )
        path = await post(server, f"wait_between gate={gate}", iterations=2)
        shown = await job_until(server, path, status="IN_PROGRESS", imageUrls=...)
        while not shown["imageUrls"]:
            await asyncio.sleep(0.05)
            shown = await job_until(server, path, imageUrls=...)
        first.process.send_signal(fault)
        await server.err.line("is requeued")
        waiting = await job_until(server, path, status="QUEUED", waiting=...)
        assert waiting["waiting"]["code"] == "no_worker"
        second = await stack.enter_async_context(worker(address, "second", folder=tmp_path))
        await job_until(server, path, status="IN_PROGRESS")
        opening = asyncio.create_task(open_for_all(gate))
        if fault == signal.SIGSTOP:
            first.process.send_signal(signal.SIGCONT)
        ended = await job_until(server, path, status="COMPLETE")
        opening.cancel()
        assert len(ended["imageUrls"]) == 2
        assert second.process.returncode is None
