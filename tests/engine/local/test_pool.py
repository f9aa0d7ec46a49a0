"""Runners that stay: which job gets which, what ends them, what a job leaves in them."""

import asyncio
from pathlib import Path

import psutil
import pytest

from sdrest.engine.base import Finished, Health, ImageReady, Started
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.invocation import Invocation, plan
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.process import MARK
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from tests.fakes.running import (
    PATIENCE,
    Lifeline,
    collect,
    copy_fork,
    failure,
    fake_repository,
    invocation,
    task,
)
from tests.support.runner_jobs import FOR_EVER, Jobs, gone, pid_of

pytestmark = pytest.mark.integration


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
    async with asyncio.timeout(PATIENCE):
        while not (await executor.stats()).idle:  # the job has ended, but may not be put away
            pass
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
    copy_fork(root)
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
    runner.submit(_plan(tmp_path / "job"), fake_repository())
    await runner.wait(PATIENCE)  # Linux shows no environment until the program is loaded
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
    copy_fork(root)
    (root / "scripts/txt2img.py").write_text("import no_such_package\n")
    executor = LocalExecutor(fake_repository(root=root), config=FOR_EVER)
    executor.preload()
    assert failure(await Jobs(executor, tmp_path).run()).code is FailureCode.IMPORT_FAILED
    await executor.close()
    (record,) = (one for one in caplog.records if one.name.startswith("sdrest."))
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
