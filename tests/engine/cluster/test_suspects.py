"""Jobs that are lost together, though one of them may be what their worker dies of."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, Need, Requeue, Started, Task
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from tests.support.jobs import Gate, ScriptedExecutor
from tests.support.machines import Site, ended, events_of, machines, running

pytestmark = pytest.mark.integration

NEED = Need(JobType.TEXT_TO_IMAGE)
GONE = Failure(FailureCode.KILLED, "The worker was stopped.")


async def lose(_: Task) -> AsyncGenerator[Event, None]:
    yield Started()
    yield Finished(GONE, requeue=Requeue.YES)


def task(site: Site, name: str) -> Task:
    return replace(site.task(name), id=name)


async def test_a_job_that_was_lost_twice_runs_alone_on_its_machine(tmp_path: Path) -> None:
    gate = Gate()
    executor = ScriptedExecutor(lose, places=2)
    async with machines(tmp_path) as site:
        await site.add("one", executor)
        await site.known("one")
        for _ in range(2):
            for name in "ab":
                await events_of(site, task(site, name))
        executor.script = gate
        executor.tasks.clear()
        async with running(site, task(site, "a")) as a, running(site, task(site, "b")) as b:
            await site.until(gate.entered.is_set)
            assert len(executor.tasks) == 1
            assert site.executor.ready({"a": NEED, "b": NEED}) == set()
            gate.opened.set()
            await site.until(lambda: ended(a, b))
            assert a[-1] == b[-1] == Finished()
        gate.opened.clear()
        async with running(site, task(site, "a")), running(site, task(site, "b")):
            await site.until(lambda: len(executor.tasks) == 4)
