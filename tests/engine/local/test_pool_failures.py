"""Jobs that fail or are cancelled leave the next ones a runner as good as new."""

import asyncio
import itertools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sdrest.engine.base import Finished, ImageReady, Preview, Progress, Started
from sdrest.engine.local.executor import LocalExecutor
from tests.fakes.running import (
    FORK,
    PATIENCE,
    Lifeline,
    copy_fork,
    failure,
    fake_repository,
    task,
)
from tests.support.runner_jobs import FOR_EVER, Jobs, gone, pid_of

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("trouble", ["exit_code code=3", "too_few", "missing_file"])
async def test_a_failed_job_leaves_the_runner_as_it_was(jobs: Jobs, trouble: str) -> None:
    first = await jobs.pid()
    assert isinstance((await jobs.run(trouble, iterations=2))[-1], Finished)
    events = await jobs.run(iterations=2)
    assert pid_of(events) == first
    assert events[-1] == Finished()


@pytest.mark.parametrize(
    ("trouble", "images"),
    [
        ("crash_before", 0),
        ("crash_between", 1),
        ("flood_stderr", 0),
        ("killed", 0),
        ("out_of_memory", 0),
        ("missing_module", 0),
    ],
)
async def test_a_failure_in_a_warm_runner_is_repeated_in_a_cold_one(
    jobs: Jobs, trouble: str, images: int
) -> None:
    fresh = failure(await jobs.run(trouble, iterations=2))
    first = await jobs.pid()
    events = await jobs.run(trouble, iterations=2)
    assert await gone(first)
    assert [type(event) for event in events].count(Started) == 1
    assert [event.index for event in events if isinstance(event, ImageReady)] == [1] * images
    assert (failure(events).code, failure(events).message) == (fresh.code, fresh.message)
    assert (await jobs.run(iterations=2))[-1] == Finished()


@pytest.mark.parametrize("images", [0, 1, 2])
async def test_a_runner_damaged_by_earlier_jobs_fails_no_job(jobs: Jobs, images: int) -> None:
    first = await jobs.pid(f"spoil images={images}")
    for _ in range(2):
        events = await jobs.run(iterations=3)
        assert events[-1] == Finished()
        assert [type(event) for event in events].count(Started) == 1
        assert [event.index for event in events if isinstance(event, ImageReady)] == [1, 2, 3]
        places = [event.index for event in events if isinstance(event, Progress)]
        assert places == sorted(places)
    assert await gone(first)


async def test_no_preview_of_a_finished_image_comes_when_a_job_runs_again(
    jobs: Jobs, tmp_path: Path
) -> None:
    await jobs.pid("spoil images=1")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    held = os.open(gate, os.O_RDWR)  # what is written stays until it is read
    shown: list[Preview | ImageReady] = []
    try:
        work = task(jobs.folder / "previews", f"preview gate={gate}", iterations=2)
        async with asyncio.timeout(PATIENCE):
            async for event in jobs.executor.run(replace(work, previews=True)):
                if isinstance(event, Preview) and not shown:  # the first batch samples until then
                    os.write(held, b"x" * 4)  # for two batches of each run
                if isinstance(event, Preview | ImageReady):
                    shown.append(event)
    finally:
        os.close(held)
    assert event == Finished()
    assert isinstance(shown[0], Preview)
    for before, event in itertools.pairwise(shown):
        if isinstance(before, ImageReady):
            assert event.index > before.index


async def test_a_job_cancelled_while_torch_is_imported_fails_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, gate = tmp_path / "fork", tmp_path / "gate"
    copy_fork(root)
    for name in ("torch.py", "torch_native.py"):
        shutil.copy(FORK.parent / "torchlike" / name, root)
    (root / "scripts/txt2img.py").write_text("import torch\nimport sampling\nsampling.main()\n")
    gate.mkdir()
    for name in ("importing", "go"):
        os.mkfifo(gate / name)
    monkeypatch.setenv("TORCHLIKE_GATE", str(gate))
    executor = LocalExecutor(fake_repository(root=root), config=FOR_EVER, grace=0.2)
    (tmp_path / "work").mkdir()
    jobs = Jobs(executor, tmp_path / "work")
    async with asyncio.timeout(PATIENCE):
        events = executor.run(task(tmp_path / "cancelled", iterations=2))
        assert isinstance(await anext(events), Started)
        assert await asyncio.to_thread((gate / "importing").read_text) == "here"
        closing = asyncio.create_task(events.aclose())
        await asyncio.sleep(0)  # the interrupt is sent
        await asyncio.to_thread((gate / "go").write_text, "go")
        await closing
    monkeypatch.delenv("TORCHLIKE_GATE")
    pids = set()
    for _ in range(2):
        made = await jobs.run()
        assert made[-1] == Finished()
        pids.add(pid_of(made))
    assert len(pids) == 1  # none has failed and run again
    await executor.close()


async def test_a_job_cancelled_while_it_runs_again_ends(jobs: Jobs, tmp_path: Path) -> None:
    await jobs.pid("spoil images=0")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    jobs.count += 1
    prompt = f"wait_between gate={gate}"
    events = jobs.executor.run(task(jobs.folder / str(jobs.count), prompt, iterations=2))
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if isinstance(event, ImageReady):  # which the spoiled process cannot make
                break
        await events.aclose()
    assert (await jobs.run())[-1] == Finished()


@pytest.mark.parametrize(
    "trouble",
    [
        *("killed", "terminated", "end_at_once", "garbage", "close_stderr", "close_descriptors"),
        *("out_of_memory", "missing_module", "leave_thread"),
    ],
)
async def test_an_unusable_runner_is_replaced(jobs: Jobs, trouble: str) -> None:
    spoiled = await jobs.pid(trouble)
    assert await gone(spoiled)
    events = await jobs.run()
    assert pid_of(events) != spoiled
    assert events[-1] == Finished()


async def test_an_idle_runner_that_died_is_replaced(jobs: Jobs) -> None:
    first = await jobs.pid()
    psutil.Process(first).kill()
    events = await jobs.run()
    assert events[-1] == Finished()
    assert pid_of(events) != first


async def test_what_a_job_leaves_running_does_not_outlive_it(
    jobs: Jobs, tmp_path: Path, lifeline: Lifeline
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    run = asyncio.create_task(jobs.run(f"leave_children lifeline={lifeline.path} gate={gate}"))
    pids = await lifeline.pids(3)
    await asyncio.to_thread(gate.write_text, "go on")
    runner = pid_of(await run)
    children = set(pids) - {runner}
    async with asyncio.timeout(PATIENCE):
        while any(map(psutil.pid_exists, children)):
            assert await jobs.pid() == runner  # which buries its children


async def begin(jobs: Jobs, prompt: str, lifeline: Lifeline, processes: int = 1) -> object:
    """Start a job and wait until its processes are there."""
    jobs.count += 1
    events = jobs.executor.run(task(jobs.folder / str(jobs.count), prompt))
    async with asyncio.timeout(PATIENCE):
        started = await anext(events)
        await lifeline.pids(processes)
        await events.aclose()
    assert isinstance(started, Started)
    return int(started.runner)


@pytest.mark.usefixtures("obedient")
async def test_a_cancelled_job_leaves_the_runner_as_it_was(jobs: Jobs, lifeline: Lifeline) -> None:
    runner = await begin(jobs, f"hang lifeline={lifeline.path}", lifeline)
    events = await jobs.run()
    assert (pid_of(events), events[-1]) == (runner, Finished())


@pytest.mark.usefixtures("obedient")
async def test_children_of_a_cancelled_job_end(jobs: Jobs, lifeline: Lifeline) -> None:
    runner = await begin(jobs, f"deaf lifeline={lifeline.path}", lifeline, processes=3)
    children = set(await lifeline.pids(3)) - {runner}
    async with asyncio.timeout(PATIENCE):
        while any(map(psutil.pid_exists, children)):
            assert await jobs.pid() == runner  # which buries its children


async def test_a_job_that_ignores_cancel_loses_its_runner(jobs: Jobs, lifeline: Lifeline) -> None:
    runner = await begin(jobs, f"deaf_to_interrupts lifeline={lifeline.path}", lifeline)
    assert await lifeline.all_gone()
    assert await jobs.pid() != runner
