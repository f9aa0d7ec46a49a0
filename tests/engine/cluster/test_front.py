"""What the front of a cluster makes of its workers: whose jobs go where, and what a fault does."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, ImageReady, Need, Requeue, Started, Task
from sdrest.engine.cluster.executor import ClusterExecutor
from sdrest.engine.cluster.front import Front
from sdrest.errors import UsageError
from sdrest.job_types import JobType
from tests.support.jobs import Gate, ScriptedExecutor
from tests.support.machines import LOST_SECONDS, Gap, ended, events_of, machines, running

pytestmark = pytest.mark.integration

TEXT = JobType.TEXT_TO_IMAGE


def requeue(events: list[Event]) -> Requeue:
    """Return whether a task that has ended should run again."""
    last = events[-1]
    assert isinstance(last, Finished)
    return last.requeue


async def test_jobs_go_to_the_workers_that_have_their_checkpoints(tmp_path: Path) -> None:
    one, two = ScriptedExecutor(), ScriptedExecutor()
    async with machines(tmp_path) as site:
        assert site.executor.capacity == 0
        assert site.executor.ready({}) == set()
        assert "No worker is connected" in site.executor.waits_for(Need(TEXT))
        capacities: list[int] = []
        site.executor.watch_capacity(lambda: capacities.append(site.executor.capacity))
        await site.add("one", one, models=("a.ckpt",))
        await site.add("two", two, models=("b.ckpt",))
        await site.known("one", "two")
        assert capacities[-1] == 2
        for _ in range(2):
            events = await events_of(site, site.task(model="b.ckpt"))
            assert events[-1] == Finished()
            image = next(event for event in events if isinstance(event, ImageReady))
            assert image.path.is_relative_to(tmp_path / "task-a")
        assert (len(one.tasks), len(two.tasks)) == (0, 2)
        assert "has the model c.ckpt" in site.executor.waits_for(Need(TEXT, "c.ckpt"))
        assert requeue(await events_of(site, site.task(model="c.ckpt"))) is Requeue.YES
        assert set(site.executor.models()) == {"a.ckpt", "b.ckpt"}


async def test_a_busy_worker_leaves_the_jobs_of_others_ready(tmp_path: Path) -> None:
    gate = Gate()
    async with machines(tmp_path) as site:
        await site.add("one", ScriptedExecutor(gate), models=("a.ckpt",))
        await site.add("two", models=("b.ckpt",))
        await site.known("one", "two")
        async with running(site, site.task(model="a.ckpt")):
            await site.until(gate.entered.is_set)
            ready = site.executor.ready({"job": Need(TEXT, "a.ckpt")})
            assert Need(TEXT, "a.ckpt") not in ready
            assert Need(TEXT, "b.ckpt") in ready
            assert site.executor.waits_for(Need(TEXT, "a.ckpt")) == ""
            claimed = {"job": Need(TEXT, "a.ckpt"), "next": Need(TEXT, "b.ckpt")}
            assert site.executor.ready(claimed) == set()
            one = site.info("one")
            assert one
            assert one.runs == ["job"]
        await site.until(lambda: not site.engines["one"].runs.names)
        assert gate.closed == 1


async def test_runners_here_and_elsewhere_serve_the_same_queue(tmp_path: Path) -> None:
    here, there = Gate(), Gate()
    async with machines(tmp_path, ScriptedExecutor(here)) as site:
        assert site.executor.capacity == 1
        await site.add("there", ScriptedExecutor(there))
        await site.known("there")
        async with running(site, site.task("a")), running(site, site.task("b")):
            await site.until(lambda: here.entered.is_set() and there.entered.is_set())
            assert site.executor.ready({}) == set()


@pytest.mark.parametrize("lasting", [False, True])
async def test_a_worker_that_does_not_answer_loses_its_jobs(
    tmp_path: Path, *, lasting: bool
) -> None:
    gate, gap = Gate(), Gap()
    async with machines(tmp_path) as site:
        await site.add("one", ScriptedExecutor(gate), change=gap)
        await site.known("one")
        async with running(site, site.task()) as events:
            await site.until(gate.entered.is_set)
            await site.until(lambda: any(isinstance(event, ImageReady) for event in events))
            gap.begin()
            if lasting:
                await site.until(lambda: ended(events))
                assert requeue(events) is Requeue.YES
                assert site.executor.capacity == 0
                assert site.executor.ready({}) == set()
                gap.end()
                await site.until(lambda: site.executor.capacity)
                assert gate.closed == 1  # what it ran before was dropped
                gate.opened.set()
                assert (await events_of(site, site.task("b")))[-1] == Finished()
            else:
                gap.end()
                gate.opened.set()
                await site.until(lambda: ended(events))
                assert requeue(events) is Requeue.NO
                assert gate.closed == 1


async def test_a_cancel_while_a_worker_is_cut_off_takes_effect_later(tmp_path: Path) -> None:
    gate, gap = Gate(), Gap()
    async with machines(tmp_path) as site:
        await site.add("one", ScriptedExecutor(gate), change=gap)
        await site.known("one")
        async with running(site, site.task()):
            await site.until(gate.entered.is_set)
            gap.begin()
        assert gate.closed == 0
        gap.end()
        await site.until(lambda: gate.closed == 1)
        await site.until(lambda: site.executor.capacity)


async def test_a_task_that_is_cancelled_on_its_way_never_begins(tmp_path: Path) -> None:
    executor, gap = ScriptedExecutor(), Gap()
    async with machines(tmp_path) as site:
        await site.add("one", executor, change=gap)
        await site.known("one")
        gap.begin()
        async with running(site, site.task()):
            await site.until(lambda: site.executor.ready({}) == set())
        gap.end()
        await site.until(lambda: site.executor.ready({}))
        assert (await events_of(site, site.task("b")))[-1] == Finished()
        assert [one.params for one in executor.tasks] == [site.task("b").params]


async def test_a_worker_that_was_started_again_at_its_address_is_connected_again(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with machines(tmp_path) as site:
        worker = await site.add("one", ScriptedExecutor(gate))
        await site.known("one")
        async with running(site, site.task()) as events:
            await site.until(gate.entered.is_set)
            before = site.info("one")
            assert before
            await site.restart("one", worker)
            await site.until(lambda: ended(events))
            assert requeue(events) is Requeue.YES
        await site.until(lambda: (site.info("one") or before).since > before.since)
        gate.opened.set()
        assert (await events_of(site, site.task("b")))[-1] == Finished()


async def test_a_transfer_may_take_longer_than_a_worker_may_be_silent(tmp_path: Path) -> None:
    slow = asyncio.Event()

    def change(handlers: dict[str, object]) -> None:
        handler = handlers["sdrest_events"]

        async def events(**arguments: object) -> object:
            answer = await handler(**arguments)  # type: ignore[operator]  # a handler
            await slow.wait()
            return answer

        handlers["sdrest_events"] = events

    async with machines(tmp_path) as site:
        await site.add("one", change=change)
        await site.known("one")
        async with running(site, site.task()) as events:
            await site.until(lambda: site.executor.ready({}) == set())
            one = site.info("one")
            assert one
            await site.until(
                lambda: (site.info("one") or one).last_seen > one.last_seen + LOST_SECONDS
            )
            slow.set()
            await site.until(lambda: ended(events))
            assert requeue(events) is Requeue.NO


async def interrupted(task: Task) -> AsyncGenerator[Event, None]:
    yield Started()
    raise RuntimeError("a bug of the worker's")


async def test_a_bug_of_a_worker_fails_the_job_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with machines(tmp_path) as site:
        await site.add("one", ScriptedExecutor(scripts={"bad": interrupted}))
        await site.known("one")
        assert requeue(await events_of(site, site.task("bad"))) is Requeue.NO
        assert (await events_of(site, site.task("good")))[-1] == Finished()
        assert "a bug of the worker's" in caplog.text


async def test_an_address_that_is_taken_is_an_error(tmp_path: Path) -> None:
    async with machines(tmp_path) as site:
        executor = ClusterExecutor()
        with pytest.raises(UsageError, match="Cannot listen at"):
            await executor.start(Front(listen=site.front.address, changed=executor.changed))
        await executor.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_a_front_listens_on_ipv6_too() -> None:
    executor = ClusterExecutor()
    await executor.start(Front(listen="tcp://[::1]:0", changed=executor.changed))
    try:
        assert executor.address.startswith("tcp://[::1]:")
    finally:
        await executor.close()
