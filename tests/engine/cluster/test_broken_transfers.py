"""Cables that fail in the middle of a transfer."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sdrest.engine.base import Event, Finished, ImageReady, Requeue, Started, Task
from sdrest.job_types import JobType
from tests.support.jobs import Gate, ScriptedExecutor
from tests.support.machines import SECONDS, ended, events_of, machines, running
from tests.support.relay import relaying

pytestmark = pytest.mark.integration

SIZE, MOST = 24 << 20, 1 << 20
"""Bytes of a picture, more than all buffers on its way hold, and those that pass at first."""


async def draw_large(task: Task) -> AsyncGenerator[Event, None]:
    yield Started()
    path = task.workdir / "00001.png"
    path.write_bytes(os.urandom(SIZE))
    yield ImageReady(1, path)
    yield Finished()


async def test_a_job_whose_upload_or_image_breaks_off_is_lost_and_runs_again(
    tmp_path: Path,
) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(os.urandom(SIZE))
    receiver, sender = ScriptedExecutor(), ScriptedExecutor(draw_large)
    async with relaying() as up, relaying() as down, machines(tmp_path) as site:
        await site.add("one", receiver, models=("a.ckpt",), relay=up)
        await site.add("two", sender, models=("b.ckpt",), relay=down)
        await site.known("one", "two")

        async def both() -> tuple[list[Event], list[Event]]:
            given = {"job_type": JobType.IMAGE_TO_IMAGE, "image": picture}
            return await asyncio.gather(
                events_of(site, site.task("upload", model="a.ckpt", **given)),
                events_of(site, site.task("image", model="b.ckpt")),
            )

        up.most["there"] = down.most["back"] = MOST
        for events in await both():
            assert isinstance(events[-1], Finished)
            assert events[-1].requeue is Requeue.YES
            assert not any(isinstance(event, ImageReady) for event in events)
        assert up.cut.is_set()
        assert down.cut.is_set()
        assert receiver.tasks == []
        up.plug()
        down.plug()
        await site.until(lambda: site.executor.capacity == 2)
        assert [engine.runs.names for engine in site.engines.values()] == [(), ()]
        uploaded, made = await both()
        assert uploaded[-1] == made[-1] == Finished()
        assert len(receiver.tasks) == 1
        (image,) = [event for event in made if isinstance(event, ImageReady)]
        assert image.path.stat().st_size == SIZE


async def test_a_front_ends_though_a_worker_does_not_answer(tmp_path: Path) -> None:
    gate = Gate()
    async with relaying() as cable, machines(tmp_path) as site:
        await site.add("one", ScriptedExecutor(gate), relay=cable)
        await site.known("one")
        async with running(site, site.task()) as events:
            await site.until(gate.entered.is_set)
            cable.unplug()
            async with asyncio.timeout(SECONDS):
                await site.executor.close()
            await site.until(lambda: ended(events))
        cable.plug()
