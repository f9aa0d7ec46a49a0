"""What a stop, a kill and the start after it do to jobs that run."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.fakes.running import Lifeline
from tests.support.fake_fork import FAKE, MODEL, post
from tests.support.server import Serve

pytestmark = pytest.mark.integration


async def test_sigterm_lets_running_jobs_finish(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(*FAKE, *MODEL, "--grace", "60", warns=True) as server:
        job = await post(server, f"wait_between gate={gate}", iterations=2)
        waiting = await post(server, "next")
        await server.out.line("2/2 ")
        server.process.send_signal(signal.SIGTERM)
        await server.out.line("Stopping...")
        async with server.client() as client:
            async with client.post("text-to-image", json={"prompt": "late"}) as answer:
                assert answer.status == 503
                assert (await answer.json())["error"]["code"] == "stopping"
            async with client.get(job) as answer:
                assert (await answer.json())["status"] == "IN_PROGRESS"
        await asyncio.to_thread(gate.write_text, "")
        assert await server.ended() == 0
        assert server.out.lines[-1].endswith("Done")
    async with serve(*FAKE, *MODEL, warns=True) as server:
        await server.out.line(f"{waiting.rpartition('/')[2]} Done")


async def test_a_job_that_runs_longer_than_grace_is_requeued(
    serve: Serve, lifeline: Lifeline
) -> None:
    async with serve(*FAKE, *MODEL, "--grace", "0.1", warns=True) as server:
        await post(server, f"deaf lifeline={lifeline.path}")
        await lifeline.pids(3)
        assert await server.stop() == 0
        assert "Interrupted, queued again..." in server.out.lines[-1]
    assert await lifeline.all_gone()


async def test_a_second_signal_stops_at_once_and_leaves_no_script(
    serve: Serve, lifeline: Lifeline
) -> None:
    status = 128 + signal.SIGINT
    async with serve(*FAKE, *MODEL, "--grace", "60", warns=True, status=status) as server:
        await post(server, f"hang lifeline={lifeline.path}")
        await lifeline.pids(1)
        server.process.send_signal(signal.SIGTERM)
        await server.out.line("Stopping...")
        await server.stop_at_once(signal.SIGINT)
    assert await lifeline.all_gone()


@pytest.mark.parametrize("behaviour", ["hang", "deaf"])
async def test_a_start_kills_scripts_left_by_sigkill(
    serve: Serve, lifeline: Lifeline, behaviour: str
) -> None:
    async with serve(*FAKE, *MODEL, warns=True, status=-signal.SIGKILL) as server:
        await post(server, f"{behaviour} lifeline={lifeline.path}")
        await lifeline.pids({"hang": 1, "deaf": 3}[behaviour])
        server.process.kill()
        await server.process.wait()
    async with serve(*FAKE, *MODEL, "--delete-incomplete", warns=True):
        assert await lifeline.all_gone()
