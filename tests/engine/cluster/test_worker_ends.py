"""How a worker ends, and what it does where there is no scheduler."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from sdrest.engine.base import Finished, Requeue
from tests.fakes.running import Lifeline, images, task
from tests.support.ports import free_port
from tests.support.server import PATIENCE
from tests.support.workers import calling, leftovers, running_scheduler, running_worker

pytestmark = pytest.mark.integration


async def test_a_stop_gives_a_run_its_time(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = task(tmp_path / "work", f"wait_between gate={gate}", iterations=2)
    async with (
        running_scheduler() as scheduler,
        running_worker(scheduler.address, tmp_path / "worker", "--grace", "60") as worker,
        calling(scheduler) as calls,
    ):
        await calls.start("run", work)
        worker.process.send_signal(signal.SIGTERM)
        await calls.status_with(draining=True)
        await calls.start("late", work)
        assert await calls("events", run="late", since=0) is None
        await asyncio.to_thread(gate.write_text, "")
        events = await calls.events("run", work)
        assert images(events) == [1, 2]
        assert events[-1] == Finished()
        assert await worker.ended() == 0
        assert leftovers(worker.temporary) == []


async def test_a_stop_without_time_hands_a_run_back(tmp_path: Path, lifeline: Lifeline) -> None:
    work = task(tmp_path / "work", f"deaf lifeline={lifeline.path}")
    async with (
        running_scheduler() as scheduler,
        running_worker(scheduler.address, tmp_path / "worker", "--grace", "0") as worker,
        calling(scheduler) as calls,
    ):
        await calls.start("run", work)
        await lifeline.pids(3)
        worker.process.send_signal(signal.SIGTERM)
        last = (await calls.events("run", work))[-1]
        assert isinstance(last, Finished)
        assert last.requeue is Requeue.YES
        assert await lifeline.all_gone()
        assert await worker.ended() == 0
        assert leftovers(worker.temporary) == []


async def test_a_stop_of_all_processes_hands_a_run_back(tmp_path: Path, lifeline: Lifeline) -> None:
    work = task(tmp_path / "work", f"hang lifeline={lifeline.path}")
    async with (
        running_scheduler() as scheduler,
        running_worker(scheduler.address, tmp_path / "worker", "--grace", "60") as worker,
        calling(scheduler) as calls,
    ):
        await calls.start("run", work)
        for pid in (*await lifeline.pids(1), worker.process.pid):
            os.kill(pid, signal.SIGTERM)
        last = (await calls.events("run", work))[-1]
        assert isinstance(last, Finished)
        assert last.requeue is Requeue.YES
        assert await worker.ended() == 0


async def test_a_killed_worker_leaves_no_process_and_the_next_one_removes_its_files(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    folder = tmp_path / "worker"
    async with running_scheduler() as scheduler:
        async with running_worker(scheduler.address, folder) as worker, calling(scheduler) as calls:
            work = task(tmp_path / "work", f"hang lifeline={lifeline.path}")
            await calls.start("run", work)
            await lifeline.pids(1)
            await worker.stop(signal.SIGKILL)
            assert await lifeline.all_gone()
            left = set(worker.temporary.iterdir())
            assert left
        async with running_worker(scheduler.address, folder) as worker:
            await worker.out.line("Connected to")
            await worker.err.line("No server calls this worker at tcp://127.0.0.1:")
            assert left.isdisjoint(worker.temporary.iterdir())
            assert await worker.stop() == 0


async def test_a_worker_waits_for_its_scheduler_and_comes_back(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    async with running_worker(address, tmp_path / "worker", "--keep-alive", "0") as worker:
        await worker.err.line(f"Cannot connect to {address}: no server listens there.")
        async with running_scheduler(port) as scheduler, calling(scheduler) as calls:
            await worker.out.line("Connected to")
            work = task(tmp_path / "work", f"hang lifeline={lifeline.path}")
            await calls.start("run", work)
            await lifeline.pids(1)
        await worker.err.line("is lost")
        assert await lifeline.all_gone()
        async with running_scheduler(port) as scheduler, calling(scheduler) as calls:
            assert await calls("events", run="run", since=0) is None
            assert (await calls.run("again", task(tmp_path / "work")))[-1] == Finished()
            assert await worker.stop(signal.SIGINT) == 0
    async with asyncio.timeout(PATIENCE):
        assert (await worker.out.all()).count(f"success Connected to {address}.") == 2
