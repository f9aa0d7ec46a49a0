"""Bars and images come by two ways, a pipe and files; their events come in one order."""

import os
from pathlib import Path

import pytest

from sdrest.engine.base import ImageReady, Progress
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.outdir import OutDir, is_complete_png
from tests.fakes.running import collect, fake_repository, finished_events, task

pytestmark = pytest.mark.integration


async def test_the_bar_of_an_image_comes_before_it_also_where_both_are_there_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = task(tmp_path / "work", f"wait_between gate={gate}", iterations=2)
    poll = OutDir.poll

    def late(images: OutDir) -> list[Path]:
        """Look for the second image only when it is there, as a process does that had to wait."""
        if images.ready == 1 and gate.exists():
            gate.write_text("go")
            gate.unlink()
            while not is_complete_png(images._images[1]):
                pass
        return poll(images)

    monkeypatch.setattr(OutDir, "poll", late)
    executor = LocalExecutor(fake_repository())
    events = await collect(finished_events(executor, work))
    await executor.close()
    of_second = [
        event for event in events
        if isinstance(event, Progress | ImageReady) and event.index == 2
    ]  # fmt: skip
    steps = [event for event in of_second if isinstance(event, Progress) and 0 < event.fraction < 1]
    assert steps == [Progress(2, 0.25), Progress(2, 0.5), Progress(2, 0.75)]
    assert isinstance(of_second[-2], ImageReady), of_second
    assert of_second[-1] == Progress(2, 1.0)
