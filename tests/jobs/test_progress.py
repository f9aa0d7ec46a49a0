"""How events move the progress of a running job."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sdrest.engine.base import Event, Finished, ImageReady, Progress, Task
from sdrest.execution import execute
from sdrest.jobs.context import BEGINNING
from sdrest.jobs.progress import advance
from sdrest.params import TextToImage
from tests.support.jobs import ScriptedExecutor

HERE = Path()
fractions = st.floats(0, 1)


@st.composite
def events(draw: st.DrawFn, total: int) -> list[Progress | ImageReady]:
    """Bars in order, with bars that go back or stand still, and each image once, in order."""
    found: list[Progress | ImageReady] = []
    for index in range(1, total + 1):
        found += [Progress(index, f) for f in draw(st.lists(fractions, max_size=4))]
        found.append(ImageReady(index, HERE))
    return found


def executed(happened: list[Progress | ImageReady]) -> list[Event]:
    """Return what jobs see of the events of an executor."""

    async def script(_: Task) -> AsyncGenerator[Event, None]:
        for event in happened:
            yield event
        yield Finished()

    async def run() -> list[Event]:
        task = Task(id="", params=TextToImage(prompt=""), seed=0, workdir=HERE)
        events = execute(ScriptedExecutor(script), task, folder=HERE, with_metadata=False)
        return [event async for event in events]

    return asyncio.run(run())


@given(st.integers(1, 6).flatmap(lambda total: st.tuples(st.just(total), events(total))))
def test_progress_never_goes_back_and_ends_at_one(
    case: tuple[int, list[Progress | ImageReady]],
) -> None:
    total, happened = case
    progress = BEGINNING
    listed = 0
    for event in executed(happened):
        if not isinstance(event, Progress | ImageReady):
            continue
        after = advance(progress, event, total)
        assert (after.index, after.fraction) >= (progress.index, progress.fraction)
        if isinstance(event, ImageReady):
            listed = event.index
        assert after.fraction < 1 or listed == total
        assert after.index == min(listed + 1, total)
        progress = after
    assert progress == Progress(total, 1.0)


def test_a_full_bar_waits_for_its_image() -> None:
    almost = Progress(1, 0.88)
    assert advance(almost, Progress(1, 1.0), 2) == almost
    assert advance(almost, ImageReady(1, HERE), 2) == Progress(2, 0.0)


def test_images_of_a_batch_come_together() -> None:
    progress = advance(Progress(1, 0.9), ImageReady(1, HERE), 4)
    progress = advance(progress, ImageReady(2, HERE), 4)
    assert progress == Progress(3, 0.0)
    assert advance(progress, Progress(3, 0.1), 4) == Progress(3, 0.1)
