"""A server and workers on hosts of their own, without a shared disk, when their cables fail."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from sdrest.commands.cluster.credentials import make
from tests.fakes.running import Lifeline
from tests.support.cluster import (
    Worker,
    cluster_address,
    job,
    job_until,
    open_for_all,
    ready_workers,
    worker,
)
from tests.support.fake_fork import post
from tests.support.hosts import Host, hosts, require_hosts
from tests.support.server import Serve, Server

pytestmark = pytest.mark.integration


def mute(host: Host) -> None:
    host.sent.cut = True


def deafen(host: Host) -> None:
    host.received.cut = True


PORT = 9000
"""Where the server calls each worker: free on a host of its own."""

FAULTS: tuple[Callable[[Host], None], ...] = (Host.unplug, mute, deafen)


@pytest.mark.timeout(240)
async def test_jobs_of_hosts_that_are_cut_off_run_elsewhere(
    tmp_path: Path, serve: Serve, lifeline: Lifeline
) -> None:
    require_hosts()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "output").mkdir()
    front, own = make(tmp_path)
    flags = ("--cluster", "tls://0.0.0.0:0", "--cluster-credentials", str(front))
    with hosts(4) as places:
        *cut_off, other = places
        async with serve(*flags, "--concurrency", "0", warns=True) as server:
            port = (await cluster_address(server)).rpartition(":")[2]

            def work(host: Host) -> AbstractAsyncContextManager[Worker]:
                address = f"tls://{host.front}:{port}"
                flags = ("--cluster-credentials", str(own), "--worker-port", str(PORT))
                return worker(address, host.name, *flags, folder=tmp_path, host=host)

            async with AsyncExitStack() as stack:
                for host in cut_off:
                    await stack.enter_async_context(work(host))
                found = await ready_workers(server, len(cut_off))
                addresses = [f"tls://{host.address}:{PORT}" for host in cut_off]
                assert sorted(one["address"] for one in found) == sorted(addresses)
                prompt = f"wait_between gate={gate} lifeline={lifeline.path}"
                names = range(len(cut_off))
                paths = [await post(server, f"{prompt} job={name}", iterations=2) for name in names]
                for path in paths:
                    await _first_image(server, path)
                for host, fault in zip(cut_off, FAULTS, strict=True):
                    fault(host)
                cancelled = paths.pop()
                async with server.client() as client, client.post(f"{cancelled}/cancel") as answer:
                    assert (await answer.json())["status"] == "CANCELLED"
                other.slow(delay=0.02, loss=0.01)
                await stack.enter_async_context(work(other))
                opening = asyncio.create_task(open_for_all(gate))
                for path in paths:
                    shown = await job_until(server, path, status="COMPLETE")
                    assert shown["imageUrls"] == [f"{path}/1.png", f"{path}/2.png"]
                opening.cancel()
                for host in places:
                    host.plug()
                await ready_workers(server, len(places))
                assert (await job(server, cancelled))["status"] == "CANCELLED"
    assert await lifeline.all_gone()


async def _first_image(server: Server, path: str) -> None:
    """Wait until a job has an image, which the server did not draw."""
    shown = await job_until(server, path, imageUrls=...)
    while not shown["imageUrls"]:
        await asyncio.sleep(0.05)
        shown = await job_until(server, path, imageUrls=...)
