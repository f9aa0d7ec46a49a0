"""Runners that stay: which job gets which, what ends them, what a job leaves in them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sdrest.engine.base import Event, Finished, Health, ImageReady, Progress, Started
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.process import MARK
from sdrest.engine.local.scripts import Invocation, plan
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from tests.fakes.running import (
    FORK,
    PATIENCE,
    Lifeline,
    collect,
    failure,
    fake_repository,
    finished_events,
    invocation,
    task,
)

pytestmark = pytest.mark.integration

FOR_EVER = PoolConfig(keep_alive=-1)


@pytest.fixture
async def executor() -> AsyncIterator[LocalExecutor]:
    executor = LocalExecutor(fake_repository(), config=FOR_EVER, grace=0.2)
    yield executor
    await executor.close()


class Jobs:
    """Jobs, one after the other, each in a folder of its own."""

    def __init__(self, executor: LocalExecutor, folder: Path) -> None:
        self.executor = executor
        self.folder = folder
        self.count = 0

    async def run(self, prompt: str = "paint", **fields: Any) -> list[Event]:
        self.count += 1
        work = task(self.folder / str(self.count), prompt, **fields)
        return await collect(finished_events(self.executor, work))

    async def pid(self, prompt: str = "paint", **fields: Any) -> int:
        """Run a job and return the process that it had."""
        return pid_of(await self.run(prompt, **fields))


@pytest.fixture
def jobs(executor: LocalExecutor, tmp_path: Path) -> Jobs:
    return Jobs(executor, tmp_path)


def pid_of(events: list[Event]) -> int:
    assert isinstance(events[0], Started)
    return int(events[0].runner)


async def gone(pid: int) -> bool:
    """Wait for the end of a process; meanwhile the loop runs, which buries it."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return True
    _, alive = await asyncio.to_thread(psutil.wait_procs, [process], timeout=PATIENCE)
    return not alive


async def test_jobs_share_a_runner(executor: LocalExecutor, tmp_path: Path) -> None:
    facts, pids, pictures = [], set(), set()
    for name in ("one", "two", "three"):
        work = task(tmp_path / name)
        events = await collect(executor.run(work))
        assert events[-1] == Finished()
        assert isinstance(events[-1], Finished)
        assert (events[-1].peak_rss or 0) > 2**20
        pids.add(pid_of(events))
        pictures |= {event.path.read_bytes() for event in events if isinstance(event, ImageReady)}
        fact = invocation(work)
        assert f"--outdir={work.workdir}/output" in fact.pop("argv")
        facts.append(fact)
    assert len(pids) == len(pictures) == 1
    assert facts[1:] == facts[:1] * 2


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


async def test_a_job_cancelled_while_torch_is_imported_fails_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, gate = tmp_path / "fork", tmp_path / "gate"
    shutil.copytree(FORK, root)
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


async def test_a_job_cancelled_while_it_runs_again_ends(
    jobs: Jobs, lifeline: Lifeline, tmp_path: Path
) -> None:
    await jobs.pid("spoil images=0")
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    jobs.count += 1
    prompt = f"wait_between lifeline={lifeline.path} gate={gate}"
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


async def test_a_cancelled_job_leaves_the_runner_as_it_was(jobs: Jobs, lifeline: Lifeline) -> None:
    runner = await begin(jobs, f"hang lifeline={lifeline.path}", lifeline)
    events = await jobs.run()
    assert (pid_of(events), events[-1]) == (runner, Finished())


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


async def test_keep_alive_ends_an_idle_runner(tmp_path: Path) -> None:
    executor = LocalExecutor(fake_repository(), config=PoolConfig(keep_alive=0.05))
    jobs = Jobs(executor, tmp_path)
    first = await jobs.pid()
    assert await gone(first)
    assert await jobs.pid() != first
    await executor.close()


async def test_a_job_sets_the_keep_alive_of_its_runner(jobs: Jobs) -> None:
    first = await jobs.pid()
    assert await jobs.pid(keepAlive=0) == first
    assert await gone(first)
    second = await jobs.pid(keepAlive="0.05s")
    assert await gone(second)


async def test_unloading_ends_idle_runners(executor: LocalExecutor, jobs: Jobs) -> None:
    first = await jobs.pid()
    await executor.unload()
    assert await gone(first)
    stats = await executor.stats()
    assert (stats.busy, stats.idle) == (0, 0)
    assert await jobs.pid() != first


async def test_capacity_and_health(tmp_path: Path) -> None:
    executor = LocalExecutor(fake_repository(), config=PoolConfig(concurrency=3))
    assert executor.capacity == 3
    assert await executor.health() == Health({})
    broken = LocalExecutor(fake_repository(inpaint_image_model=tmp_path / "none.ckpt"))
    problems = (await broken.health()).problems
    assert [*problems] == [JobType.INPAINT_IMAGE]
    assert problems[JobType.INPAINT_IMAGE].code is FailureCode.MODEL_MISSING


async def test_a_runner_over_max_host_memory_is_replaced(tmp_path: Path) -> None:
    config = PoolConfig(keep_alive=-1, max_memory=2**20)
    executor = LocalExecutor(fake_repository(), config=config)
    assert await gone(await Jobs(executor, tmp_path).pid())
    await executor.close()


async def test_changed_code_is_imported_again(tmp_path: Path) -> None:
    root = tmp_path / "fork"
    shutil.copytree(FORK, root)
    executor = LocalExecutor(fake_repository(root=root), config=FOR_EVER)
    jobs = Jobs(executor, tmp_path)
    first = await jobs.pid()
    assert await jobs.pid() == first
    drawing = root / "drawing.py"
    drawing.write_text(drawing.read_text() + "\n")
    events = await jobs.run()
    assert events[-1] == Finished()
    assert pid_of(events) != first
    assert [type(event) for event in events].count(Started) == 1
    await executor.close()


async def test_no_more_runners_than_concurrency(tmp_path: Path) -> None:
    executor = LocalExecutor(fake_repository(), config=PoolConfig(concurrency=2, keep_alive=-1))
    jobs = Jobs(executor, tmp_path)
    pids = await asyncio.gather(*(jobs.pid() for _ in range(5)))
    assert len(set(pids)) <= 2
    await executor.close()
    assert all([await gone(pid) for pid in pids])


async def test_a_job_goes_where_its_model_is(tmp_path: Path, lifeline: Lifeline) -> None:
    models = [tmp_path / name for name in ("one", "two")]
    for model in models:
        model.write_text("model")
    config = PoolConfig(concurrency=2, keep_alive=-1, max_models=1)
    executor = LocalExecutor(fake_repository(), config=config)
    pool = executor._pool
    runners = [await pool.take(model) for model in models]
    for runner in runners:
        runner.submit(_plan(tmp_path / str(runner.pid)), fake_repository())
        await runner.wait(PATIENCE)
        await pool.give_back(runner, keep_alive=-1, reusable=True)
    for model, runner in zip(models * 2, runners * 2, strict=True):
        taken = await pool.take(model)
        assert taken is runner
        runner.submit(_plan(tmp_path / f"{runner.pid}-{runner.submitted}"), fake_repository())
        await runner.wait(PATIENCE)
        await pool.give_back(taken, keep_alive=-1, reusable=True)
    await executor.close()


async def test_a_runner_that_replaces_another_is_an_orphan_of_the_same_owner(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    executor = LocalExecutor(fake_repository(), config=PoolConfig(owner="1:2"))
    pool = executor._pool
    runner = await pool.replace(await pool.take(tmp_path / "model"))
    assert psutil.Process(runner.pid).environ()[MARK].startswith("1:2/")
    await executor.close()


def _plan(folder: Path) -> Invocation:
    return plan(task(folder), fake_repository())


async def test_preload_leaves_a_runner_with_the_imports(
    executor: LocalExecutor, jobs: Jobs
) -> None:
    executor.preload()
    events = await jobs.run()
    children = [child.pid for child in psutil.Process().children()]
    assert pid_of(events) in children
    assert events[-1] == Finished()


async def test_a_failed_preload_is_logged_with_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "fork"
    shutil.copytree(FORK, root)
    (root / "scripts/txt2img.py").write_text("import no_such_package\n")
    executor = LocalExecutor(fake_repository(root=root), config=FOR_EVER)
    executor.preload()
    assert failure(await Jobs(executor, tmp_path).run()).code is FailureCode.IMPORT_FAILED
    await executor.close()
    (record,) = caplog.records
    assert record.getMessage().startswith("Nothing was loaded: ")
    assert "no_such_package" in record.getMessage()
    assert "Raised(" not in record.getMessage()


async def test_preloading_what_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    executor = LocalExecutor(fake_repository(root=tmp_path), config=FOR_EVER)
    executor.preload()
    assert failure(await Jobs(executor, tmp_path).run()).code is FailureCode.SCRIPT_MISSING
    await executor.close()
