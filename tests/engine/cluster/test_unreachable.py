"""A worker that is connected, but that the front cannot call, as where a firewall is between."""

import logging
from pathlib import Path

import pytest
from distributed.core import rpc

from sdrest.engine.base import Need
from sdrest.job_types import JobType
from tests.support.machines import Gap, machines
from tests.support.workers import calling, running_scheduler, running_worker

pytestmark = pytest.mark.integration


async def test_the_front_says_which_worker_it_cannot_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gap = Gap()
    gap.begin()
    async with machines(tmp_path) as site:
        worker = await site.add("one", change=gap)
        await site.until(lambda: "cannot be reached" in caplog.text)
        text = (
            f"{worker.address} is connected, but cannot be reached from here: it does not answer."
        )
        assert text in caplog.text
        reason = site.executor.waits_for(Need(JobType.TEXT_TO_IMAGE))
        assert "None of the connected workers takes jobs" in reason
        gap.end()
        await site.known("one")


async def test_the_front_answers_whom_it_reaches(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with machines(tmp_path) as site:
        worker = await site.add("one")
        await site.known("one")
        async with rpc(site.front.address) as front:
            ask = {"op": "identity"}
            assert (await front.proxy(worker=worker.address, msg=ask))["type"] == "Worker"
            await site.known("one")
            assert await front.proxy(worker="tcp://127.0.0.1:1", msg=ask) is None
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_worker_says_when_a_server_calls_it_after_all(tmp_path: Path) -> None:
    async with (
        running_scheduler() as scheduler,
        running_worker(scheduler.address, tmp_path) as worker,
    ):
        await worker.out.line("Connected to")
        await worker.err.line("No server calls this worker at tcp://127.0.0.1:")
        async with calling(scheduler):
            await worker.out.line("Connected to", count=2)
