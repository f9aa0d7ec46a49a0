"""What a front makes of what machines offer: who is refused, which files differ, what is shown."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from sdrest.engine.base import Finished, PoolStats
from sdrest.engine.cluster import protocol
from tests.support.jobs import ScriptedExecutor
from tests.support.machines import SECONDS, Site, events_of, machines

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", ["sdrest", "python"])
async def test_a_worker_of_another_version_is_refused_on_both_sides(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = protocol.versions()  # the front has a name of its own for the function
    monkeypatch.setattr(protocol, "versions", lambda: {**own, name: "0.0.1"})
    async with machines(tmp_path) as site:
        await site.add("old")
        await site.until(lambda: any(one.refused for one in site.executor.workers()))
        refused = site.executor.workers()[0].refused
        assert "0.0.1" in refused
        assert "Install the same version on both." in refused
        assert site.executor.ready({}) == set()
        said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
        assert len([text for text in said if "0.0.1" in text]) == 2


async def test_a_program_that_is_no_worker_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with machines(tmp_path) as site:
        await site.add("none", change=lambda handlers: handlers.clear())
        await site.until(lambda: any(one.refused for one in site.executor.workers()))
        assert "not a worker of sdrest" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content + b"4",
        lambda content: content.replace(b"archive/version3", b"archive/version4"),
    ],
    ids=["size", "hash"],
)
async def test_other_files_under_one_name_are_warned_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[bytes], bytes]
) -> None:
    async with machines(tmp_path) as site:
        await site.add("one", models=("a.ckpt", "b.ckpt"))
        await site.add("two", models=("a.ckpt",))
        await site.known("one", "two")
        assert "different files" not in caplog.text
        await _hashed(site, "one")
        path = tmp_path / "two" / "models" / "a.ckpt"
        path.write_bytes(change(path.read_bytes()))
        await _hashed(site, "two")
        await site.until(lambda: "different files as a.ckpt" in caplog.text)
        assert caplog.text.count("different files") == 1
        assert [len(one.warnings) for one in site.executor.workers()] == [1, 1]


async def _hashed(site: Site, name: str) -> None:
    """Wait until a worker offers the hashes of its files as they are now."""
    offers = site.engines[name].offers
    async with asyncio.timeout(SECONDS):
        await offers.refresh()
        while not all(model.digest for model in offers.current.models):
            await asyncio.sleep(0.01)
            await offers.refresh()


class OnCuda(ScriptedExecutor):
    """An executor whose scripts compute on a GPU."""

    async def stats(self) -> PoolStats:
        return PoolStats(0, 1, 5, device="cuda") if self.tasks else PoolStats(0, 0, 0)


async def test_the_server_itself_shows_its_memory_and_what_its_scripts_computed_on(
    tmp_path: Path,
) -> None:
    async with machines(tmp_path, OnCuda()) as site:
        shown = site.info("here")
        assert shown
        assert shown.offer
        assert shown.offer.accelerator == "cpu"
        assert (await events_of(site, site.task()))[-1] == Finished()
        await site.executor.health()
        shown = site.info("here")
        assert shown
        assert shown.offer
        assert (shown.offer.accelerator, shown.memory, shown.idle) == ("cuda", 5, 1)
