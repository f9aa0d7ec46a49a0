"""Machines that call themselves alike, as two workers on one machine do."""

from pathlib import Path

import pytest

from sdrest.engine.base import Finished
from tests.support.jobs import Gate, ScriptedExecutor
from tests.support.machines import ended, machines, running

pytestmark = pytest.mark.integration

SECOND, THIRD = "here (2)", "here (2) (2)"


async def test_every_machine_has_a_name_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with machines(tmp_path, ScriptedExecutor()) as site:
        await site.add("one", own_name="here", models=("a.ckpt", "b.ckpt"))
        await site.known("here", SECOND)
        await site.add("two", own_name=SECOND, models=("a.ckpt",))
        await site.known(THIRD)
        assert len(site.executor.workers()) == 3
        assert sorted(site.executor.models()["a.ckpt"].workers) == [SECOND, THIRD]
        path = tmp_path / "two" / "models" / "a.ckpt"
        path.write_bytes(path.read_bytes() + b"\0")
        await site.engines["two"].offers.refresh()
        await site.until(lambda: f"{SECOND}, {THIRD} have different files" in caplog.text)
        warned = [worker.name for worker in site.executor.workers() if worker.warnings]
        assert warned == [SECOND, THIRD]


async def test_a_name_stays_while_its_worker_is_connected(tmp_path: Path) -> None:
    gate = Gate()
    async with machines(tmp_path) as site:
        first = await site.add("one", own_name="attic")
        await site.known("attic")
        second = await site.add("two", ScriptedExecutor(gate), own_name="attic")
        await site.known("attic (2)")
        await first.close()
        await site.until(lambda: not site.info("attic"))
        await site.engines["two"].offers.refresh()
        async with running(site, site.task()) as events:
            await site.until(gate.entered.is_set)
            await second.close()
            await site.until(lambda: ended(events))
        last = events[-1]
        assert isinstance(last, Finished)
        assert last.failure
        assert "The worker attic (2) does not answer" in last.failure.message
        await site.add("three", own_name="attic")
        await site.known("attic")
