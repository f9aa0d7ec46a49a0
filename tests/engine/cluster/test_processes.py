"""A server and its workers as processes: what happens to jobs when a machine is lost."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.running import Lifeline
from tests.support.cgroups import kills_for_memory, little_memory
from tests.support.checkpoints import model, torch_file
from tests.support.cluster import (
    FRONT,
    Worker,
    cluster_address,
    job_until,
    open_for_all,
    ready_workers,
    worker,
)
from tests.support.fake_fork import post
from tests.support.ports import free_port
from tests.support.server import PATIENCE, Serve

pytestmark = pytest.mark.integration


async def test_a_job_of_a_lost_worker_runs_again_elsewhere(tmp_path: Path, serve: Serve) -> None:
    async with serve(*FRONT, warns=True) as server, AsyncExitStack() as stack:
        address = await cluster_address(server)

        async def started(name: str) -> Worker:
            return await stack.enter_async_context(
                worker(address, name, "--grace", "0", folder=tmp_path)
            )

        current = await started("first")
        for count, fault in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP), 1):
            gate = tmp_path / f"gate-{fault.name}"
            os.mkfifo(gate)
            path = await post(server, f"wait_between gate={gate}", iterations=2)
            shown = await job_until(server, path, status="IN_PROGRESS", imageUrls=...)
            while not shown["imageUrls"]:
                await asyncio.sleep(0.05)
                shown = await job_until(server, path, imageUrls=...)
            current.process.send_signal(fault)
            await server.err.line("is requeued", count=count)
            waiting = await job_until(server, path, status="QUEUED", waiting=...)
            assert waiting["waiting"]["code"] == "no_worker", fault
            following = await started(f"after {fault.name}")
            await job_until(server, path, status="IN_PROGRESS")
            opening = asyncio.create_task(open_for_all(gate))
            if fault == signal.SIGSTOP:
                current.process.send_signal(signal.SIGCONT)
            ended = await job_until(server, path, status="COMPLETE")
            opening.cancel()
            assert len(ended["imageUrls"]) == 2, fault
            assert following.process.returncode is None, fault
            current = following


async def test_a_front_that_is_killed_finds_its_jobs_and_workers_again(
    tmp_path: Path, serve: Serve, lifeline: Lifeline
) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    flags = ("--cluster", address, "--concurrency", "0")
    async with AsyncExitStack() as stack:
        async with serve(*flags, warns=True, status=-signal.SIGKILL) as server:
            attic = await stack.enter_async_context(
                worker(address, "attic", "--keep-alive", "0", folder=tmp_path)
            )
            path = await post(server, f"hang lifeline={lifeline.path}")
            (script,) = await lifeline.pids(1)
            assert attic.runs(script)
            server.process.kill()
            await server.ended()
        assert await lifeline.all_gone()  # the worker works for nobody
        again = Lifeline(tmp_path / "again")
        lifeline.path.unlink()
        again.path.rename(lifeline.path)
        stack.callback(again.close)
        async with serve(*flags, warns=True) as server:
            await again.pids(1)
            shown = await job_until(server, path, status="IN_PROGRESS")
            assert not shown["imageUrls"]
            async with server.client() as client, client.post(f"{path}/cancel") as answer:
                assert (await answer.json())["status"] == "CANCELLED"
            assert await again.all_gone()
        assert attic.process.returncode is None


async def test_a_job_may_name_a_model_that_only_a_worker_has(tmp_path: Path, serve: Serve) -> None:
    models = tmp_path / "its-models"
    models.mkdir()
    torch_file(models / "painter.ckpt", model())
    async with serve(*FRONT, warns=True) as server, server.client() as client:
        form = {"prompt": "paint", "height": 256, "width": 256, "model": "painter"}
        async with client.post("text-to-image", json=form) as answer:
            assert answer.status == 422
        async with client.get("readyz") as answer:
            assert answer.status == 503
            assert {one["code"] for one in (await answer.json())["problems"]} == {"no_worker"}
        flags = ("--models", str(models))
        address = await cluster_address(server)
        async with worker(address, "attic", *flags, folder=tmp_path) as attic:
            names = await listed(client, "painter")
            assert names["painter"] == ["attic"]
            path = await post(server, "paint", model="painter")
            shown = await job_until(server, path, status="COMPLETE")
            assert shown["model"] == "painter.ckpt"
            attic.process.send_signal(signal.SIGSTOP)
            path = await post(server, "paint again", model="painter")
            attic.process.kill()
            shown = await job_until(server, path, status="QUEUED", waiting=...)
            assert shown["waiting"]["code"] == "no_worker"


async def test_of_two_jobs_on_a_worker_without_memory_one_fails_and_the_other_goes_on(
    tmp_path: Path, serve: Serve
) -> None:
    """The kernel may kill again before the memory of its first victim is free: the other script."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with little_memory() as group:
        async with serve(*FRONT, warns=True) as server:
            address = await cluster_address(server)
            async with worker(address, "attic", "--concurrency", "2", folder=tmp_path) as attic:
                (group / "cgroup.procs").write_text(str(attic.process.pid))
                kept = await post(server, f"wait_between gate={gate}", iterations=2)
                await job_until(server, kept, imageUrls=[f"{kept}/1.png"])
                greedy = await post(server, "devour")
                failed = await job_until(server, greedy, status="FAILED")
                assert failed["error"]["code"] == "out_of_memory"
                opening = asyncio.create_task(open_for_all(gate))
                outcome = {1: "COMPLETE", 2: "FAILED"}[kills_for_memory(group)]
                await job_until(server, kept, status=outcome)
                opening.cancel()
                [shown] = await ready_workers(server, 1)
                assert shown["name"] == "attic"
                assert not any("is requeued" in line for line in server.err.lines)
                attic.process.terminate()
                assert await attic.ended() == 0


async def listed(client: aiohttp.ClientSession, name: str) -> dict[str, list[str]]:
    """Return the workers of each model, once a model of this name is listed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with client.get("models") as answer:
                found = {one["name"]: one["workers"] for one in (await answer.json())["models"]}
            if name in found:
                return found
            await asyncio.sleep(0.05)
