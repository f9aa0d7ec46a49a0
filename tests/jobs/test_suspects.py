"""Jobs that ran at two crashes run alone, so that a third crash proves which one is the cause."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Status
from sdrest.jobs.recovery import MAX_ATTEMPTS, SUSPECT_ATTEMPTS
from sdrest.jobs.store import Store
from tests.support.jobs import (
    SECONDS,
    Gate,
    House,
    ScriptedExecutor,
    addition,
    house,
    text,
    text_key,
)

pytestmark = pytest.mark.integration


async def fill(output: Path, attempts: Mapping[str, int], *, running: bool = False) -> None:
    """Queue jobs that servers which were killed have started so often; some may run still."""
    folders = Folders(output)
    async with Store(folders) as store:
        for name in attempts:
            await store.add(addition(name), retry_after=1, on_insert=lambda _: None)
            if running:
                await store.claim()
    with contextlib.closing(sqlite3.connect(folders.database)) as connection, connection:
        for name, number in attempts.items():
            values = number, text_key(name).id
            connection.execute("UPDATE jobs SET attempts = ? WHERE id = ?", values)


@asynccontextmanager
async def gated(output: Path, names: str) -> AsyncIterator[tuple[House, dict[str, Gate]]]:
    """A queue of capacity 3 whose jobs end when their gates are opened."""
    gates = {name: Gate() for name in names}
    executor = ScriptedExecutor(scripts={**gates})
    async with house(output, executor, concurrency=3) as home:
        yield home, gates


async def started(home: House) -> str:
    """Return which jobs have started, once the dispatcher has looked at the queue."""
    for turn in ("w1", "w2"):  # the dispatcher looks when the first is added
        await home.submit(text(turn))
    return "".join(task.params.model_dump()["prompt"] for task in home.executor.tasks)


async def entered(*gates: Gate) -> None:
    async with asyncio.timeout(SECONDS):
        for gate in gates:
            await gate.entered.wait()


async def test_a_job_suspected_of_crashes_runs_alone_and_blocks_nobody_forever(
    tmp_path: Path,
) -> None:
    await fill(tmp_path, {"a": 0, "s": SUSPECT_ATTEMPTS, "b": 0, "c": 1})
    async with gated(tmp_path, "asbc") as (home, gates):
        await entered(gates["a"])
        assert await started(home) == "a"
        gates["a"].opened.set()
        await entered(gates["s"])
        assert await started(home) == "as"
        gates["s"].opened.set()
        await entered(gates["b"], gates["c"])
        for name in "bc":
            gates[name].opened.set()
        for name in ("a", "s", "b", "c", "w1", "w2"):
            assert (await home.ended(text_key(name))).snapshot.job.status is Status.COMPLETE


async def test_a_suspect_that_is_cancelled_holds_up_nobody(tmp_path: Path) -> None:
    await fill(tmp_path, {"a": 0, "s": SUSPECT_ATTEMPTS, "b": 0})
    async with gated(tmp_path, "asb") as (home, gates):
        await entered(gates["a"])
        assert await started(home) == "a"
        await home.jobs.cancel(text_key("s"))
        await entered(gates["b"])


async def test_a_running_suspect_that_is_deleted_holds_up_nobody(tmp_path: Path) -> None:
    await fill(tmp_path, {"s": SUSPECT_ATTEMPTS, "b": 0})
    async with gated(tmp_path, "sb") as (home, gates):
        await entered(gates["s"])
        await home.jobs.delete(text_key("s"))
        await entered(gates["b"])


async def test_a_stop_leaves_a_suspect_a_suspect(tmp_path: Path) -> None:
    await fill(tmp_path, {"s": SUSPECT_ATTEMPTS, "b": 0})
    for _ in range(3):
        async with gated(tmp_path, "sb") as (home, gates):
            await entered(gates["s"])
            assert await started(home) == "s"


async def test_suspects_run_one_after_the_other(tmp_path: Path) -> None:
    await fill(tmp_path, dict.fromkeys("stu", SUSPECT_ATTEMPTS))
    async with gated(tmp_path, "stu") as (home, gates):
        for name in "stu":
            await entered(gates[name])
            assert (await started(home))[-1] == name
            gates[name].opened.set()
            job = (await home.ended(text_key(name))).snapshot.job
            assert (job.status, job.attempts) == (Status.COMPLETE, MAX_ATTEMPTS)


async def test_a_crash_beside_others_proves_nothing(tmp_path: Path) -> None:
    """Such rows come from a server of an earlier version, which did not run suspects alone."""
    await fill(tmp_path, {"a": MAX_ATTEMPTS, "b": MAX_ATTEMPTS}, running=True)
    async with gated(tmp_path, "ab") as (home, gates):
        await entered(gates["a"])
        assert await started(home) == "a"
        for gate in gates.values():
            gate.opened.set()
        for name in "ab":
            assert (await home.ended(text_key(name))).snapshot.job.status is Status.COMPLETE


async def test_a_job_that_ran_on_another_machine_is_no_suspect(tmp_path: Path) -> None:
    await fill(tmp_path, {"a": MAX_ATTEMPTS}, running=True)
    async with house(tmp_path, suspects=False) as home:
        job = (await home.ended(text_key("a"))).snapshot.job
        assert (job.status, job.attempts) == (Status.COMPLETE, 1)
