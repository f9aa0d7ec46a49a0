"""A real worker, and what a front asks of it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from distributed import Scheduler
from PIL import Image

from sdrest.engine.base import (
    Event,
    Finished,
    ImageReady,
    Preview,
    Progress,
    Requeue,
    Started,
    Task,
)
from sdrest.engine.cluster.protocol import decode_offer, decode_status, versions
from sdrest.engine.local.executor import LocalExecutor
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from tests.fakes.running import Lifeline, collect, failure, fake_repository, images, task
from tests.support.server import PATIENCE
from tests.support.workers import (
    Calls,
    Worker,
    calling,
    leftovers,
    running_scheduler,
    running_worker,
)

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scheduler() -> AsyncIterator[Scheduler]:
    async with running_scheduler() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(
    scheduler: Scheduler, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worker]:
    folder = tmp_path_factory.mktemp("worker")
    flags = (
        *("--name", "attic", "--concurrency", "2", "--models", "models"),
        *("--keep-alive", "0"),  # so that an ended run leaves no process
    )
    await asyncio.to_thread((folder / "models").mkdir)
    async with running_worker(scheduler.address, folder, *flags) as running:
        yield running
        assert await running.stop() == 0
        assert leftovers(running.temporary) == []
        assert leftovers(folder / "home") == []
        assert leftovers(folder) == ["cache", "home", "models", "tmp"]


@pytest_asyncio.fixture(loop_scope="module")
async def calls(scheduler: Scheduler, worker: Worker) -> AsyncIterator[Calls]:
    await worker.out.line("Connected to")
    async with calling(scheduler) as connected:
        yield connected


async def test_it_says_what_it_offers(calls: Calls, worker: Worker) -> None:
    answer = await calls("connect", versions=versions())
    assert answer["versions"] == versions()
    offer = decode_offer(answer["offer"])
    assert (offer.name, offer.capacity) == ("attic", 2)
    assert offer.memory > 0
    assert not offer.problems
    assert await worker.out.line("This worker is attic: text-to-image, image-to-image")


async def test_changes_are_offered_such_as_a_checkpoint_that_comes(
    calls: Calls, worker: Worker
) -> None:
    source = Path(__file__).parents[2] / "data" / "checkpoints" / "whole.ckpt"
    await asyncio.to_thread(shutil.copyfile, source, worker.folder / "models" / "new.ckpt")
    number = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            number = decode_status(await calls("status", since=number)).number
            offer = decode_offer(await calls("offer"))
            found = [one for one in offer.models if one.file == "new.ckpt"]
            if found and found[0].digest and offer.accelerator:
                break
    assert offer.accelerator == "cpu"
    assert found[0].types == (JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE)
    assert len(found[0].digest) == 64


async def test_a_run_has_the_events_and_the_bytes_of_a_local_one(
    calls: Calls, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    Image.linear_gradient("L").convert("RGB").save(picture)

    def work(name: str) -> Task:
        return task(tmp_path / name, job_type=JobType.IMAGE_TO_IMAGE, image=picture, iterations=2)

    here, there = work("here"), work("there")
    executor = LocalExecutor(fake_repository())
    try:
        local = await collect(executor.run(here))
    finally:
        await executor.close()
    remote = await calls.run("same", there)
    assert isinstance(remote[0], Started)
    assert remote[-1] == local[-1] == Finished()
    assert _progress(remote) == _progress(local)
    assert images(remote) == images(local) == [1, 2]
    assert _pictures(remote) == _pictures(local)
    assert decode_status(await calls("status", since=0)).runs == ()


async def test_previews_and_two_runs_at_once(calls: Calls, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = replace(task(tmp_path / "one", f"preview gate={gate}"), previews=True)
    await calls.start("one", work)
    events = await calls.events("one", work, until=Preview)
    shown = next(event for event in events if isinstance(event, Preview))
    assert shown.data.startswith(b"\xff\xd8")
    assert (await calls.run("two", task(tmp_path / "two")))[-1] == Finished()
    assert decode_status(await calls("status", since=0)).runs == ("one",)
    await asyncio.to_thread(gate.write_text, ".")
    assert (await calls.events("one", work))[-1] == Finished()


async def test_cancelled_runs_leave_nothing(
    calls: Calls, worker: Worker, tmp_path: Path, lifeline: Lifeline
) -> None:
    work = task(tmp_path / "work", f"deaf lifeline={lifeline.path}")
    removed = set(worker.temporary.glob("*/work/*"))  # perhaps not yet: of runs that ended before
    await calls.start("cancelled", work)
    await lifeline.pids(3)
    await calls("cancel", run="cancelled")
    assert await lifeline.all_gone()
    assert await calls("events", run="cancelled", since=0) is None
    await calls("cancel", run="early")
    await calls.start("early", work)
    assert await calls("events", run="early", since=0) is None
    assert set(worker.temporary.glob("*/work/*")) <= removed


async def test_failures_come_back(calls: Calls, tmp_path: Path) -> None:
    failed = await calls.run("failed", task(tmp_path / "work", "crash_before"))
    assert failure(failed).code is FailureCode.SCRIPT_FAILED
    killed = await calls.run("killed", task(tmp_path / "work", "killed"))
    assert isinstance(killed[-1], Finished)
    assert killed[-1].requeue is Requeue.NO
    await calls("start", run="broken", task={"id": "x", "type": "../../x", "params": {}})
    broken = await calls.events("broken", task(tmp_path / "work"))
    assert failure(broken).code is FailureCode.INTERNAL


async def test_a_front_of_another_version_is_refused_and_said(calls: Calls, worker: Worker) -> None:
    answer = await calls("connect", versions={**versions(), "sdrest": "0.0.1"})
    assert answer["offer"] is None
    assert "the front has 0.0.1" in await worker.err.line("does not use this worker")


async def test_a_front_has_to_connect_before_it_gets_a_status(calls: Calls) -> None:
    """One that knew an earlier worker at this address may ask for events first."""
    front = calls.of_front("of an earlier worker")
    assert await front("events", run="lost", since=0) is None
    assert await front("status", since=0) is None
    await front("connect", versions=versions())
    assert decode_status(await front("status", since=0)).runs == ()


async def test_a_front_that_connects_again_ends_its_runs(
    calls: Calls, tmp_path: Path, lifeline: Lifeline
) -> None:
    await calls.start("left", task(tmp_path / "work", f"hang lifeline={lifeline.path}"))
    await lifeline.pids(1)
    await calls("connect", versions=versions())
    assert await lifeline.all_gone()
    assert await calls("events", run="left", since=0) is None


async def test_runs_end_whose_front_does_not_call_any_more(
    calls: Calls, scheduler: Scheduler, tmp_path: Path, lifeline: Lifeline
) -> None:
    async with calling(scheduler, "gone") as gone:
        await gone.start("abandoned", task(tmp_path / "work", f"hang lifeline={lifeline.path}"))
        await lifeline.pids(1)
    assert await lifeline.all_gone()
    await calls("connect", versions=versions())
    await calls.status_with(runs=())
    assert await calls("events", run="abandoned", since=0) is None


def _pictures(events: list[Event]) -> list[bytes]:
    return [one.path.read_bytes() for one in events if isinstance(one, ImageReady)]


def _progress(events: list[Event]) -> set[tuple[int, float]]:
    return {(one.index, one.fraction) for one in events if isinstance(one, Progress)}
