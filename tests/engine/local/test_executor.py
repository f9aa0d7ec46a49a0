import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image

from sdrest.engine.base import Event, Executor, Finished, ImageReady, Progress, Started
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.outdir import is_complete_png
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from sdrest.params import MAX_PROMPT_BYTES
from tests.fakes.running import (
    FORK,
    PATIENCE,
    Lifeline,
    collect,
    failure,
    fake_repository,
    finished_events,
    images,
    invocation,
    run_alone,
    task,
)

pytestmark = pytest.mark.integration


@pytest.fixture
async def executor() -> AsyncIterator[LocalExecutor]:
    executor = LocalExecutor(fake_repository(), grace=0.2)
    yield executor
    await executor.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(path)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "mask.png"
    mask = Image.new("L", (300, 200))
    mask.paste(255, (100, 50, 150, 100))
    mask.save(path)
    return path


async def test_a_job_of_two_batches(executor: Executor, tmp_path: Path) -> None:
    events = await collect(
        finished_events(executor, task(tmp_path / "work", iterations=2, batchSize=2))
    )
    assert isinstance(events[0], Started)
    assert events[-1] == Finished()
    assert images(events) == [1, 2, 3, 4]
    for event in events:
        if isinstance(event, ImageReady):
            assert is_complete_png(event.path)
            assert event.path.is_relative_to(tmp_path / "work")
    keys = [(e.index, e.fraction) for e in events if isinstance(e, Progress)]
    assert keys == sorted(set(keys))
    assert {(1, 0.25), (1, 1.0), (2, 1.0), (3, 0.0), (3, 0.75), (4, 1.0)} < set(keys)


async def test_who_sees_an_image_done_can_fetch_it(executor: Executor, tmp_path: Path) -> None:
    events = await collect(finished_events(executor, task(tmp_path / "work", iterations=3)))
    ready = 0
    for event in events:
        if isinstance(event, ImageReady):
            ready = event.index
        if isinstance(event, Progress):
            assert event.index - 1 <= ready
            assert event.fraction < 1 or event.index == ready


async def test_image_to_image_gets_a_fitted_picture(
    executor: Executor, tmp_path: Path, picture: Path
) -> None:
    work = task(tmp_path / "work", job_type=JobType.IMAGE_TO_IMAGE, image=picture)
    assert images(await collect(finished_events(executor, work))) == [1]
    option = next(item for item in invocation(work)["argv"] if item.startswith("--init-img="))
    with Image.open(option.removeprefix("--init-img=")) as fitted:
        assert fitted.size == (320, 192)


async def test_inpainting_gives_the_picture_back_in_its_own_size(
    tmp_path: Path, picture: Path, mask: Path
) -> None:
    model = tmp_path / "own.ckpt"
    model.write_text("my own model")
    folder = tmp_path / "out [1] *"  # what a glob pattern would not find
    folder.mkdir()
    work = task(folder / "work", job_type=JobType.INPAINT_IMAGE, image=picture, mask=mask)
    events = await run_alone(work, inpaint_image_model=model)
    assert images(events) == [1]
    result = next(event.path for event in events if isinstance(event, ImageReady))
    with Image.open(result) as painted, Image.open(picture) as original:
        assert painted.size == (300, 200)
        assert painted.getpixel((120, 70)) == (255, 0, 0)
        assert painted.crop((0, 0, 100, 200)).tobytes() == original.crop((0, 0, 100, 200)).tobytes()
    assert (work.workdir / "output" / "model.txt").read_text() == "my own model"
    assert "--precision" not in invocation(work)["argv"]


async def test_a_result_that_is_no_picture(tmp_path: Path, picture: Path, mask: Path) -> None:
    model = tmp_path / "own.ckpt"
    model.write_text("broken")
    work = task(tmp_path / "work", job_type=JobType.INPAINT_IMAGE, image=picture, mask=mask)
    events = await run_alone(work, inpaint_image_model=model)
    assert images(events) == []
    assert failure(events).code is FailureCode.STORAGE_FAILED


async def test_inpainting_is_seeded_from_outside(
    executor: Executor, tmp_path: Path, picture: Path, mask: Path
) -> None:
    drawn = set()
    for name in ("one", "two"):
        work = task(tmp_path / name, job_type=JobType.INPAINT_IMAGE, image=picture, mask=mask)
        await collect(finished_events(executor, work))
        drawn.add((work.workdir / "output" / "drawn.txt").read_text())
    assert len(drawn) == 1


@pytest.mark.parametrize(
    "behaviour",
    [
        *("crash_after", "flood_stdout", "no_bars", "end_at_once", "close_stderr", "garbage"),
        "fork_through",
    ],
)
async def test_all_images_are_a_success(executor: Executor, tmp_path: Path, behaviour: str) -> None:
    events = await collect(
        finished_events(executor, task(tmp_path / "work", behaviour, iterations=2))
    )
    assert events[-1] == Finished()
    assert images(events) == [1, 2]


@dataclass(frozen=True)
class Case:
    behaviour: str
    ready: int  # how many of two images are complete
    code: str
    details: dict[str, object]
    text: str  # what the message says


CRASHED: dict[str, object] = {"exitCode": 1}
RETURNED: dict[str, object] = {"exitCode": 0}


@pytest.mark.parametrize(
    "case",
    [
        Case("crash_before", 0, "script_failed", CRASHED, "Sizes of tensors must match"),
        Case("crash_between", 1, "script_failed", CRASHED, "after OUTPUT/samples/00000.png"),
        Case("half_png", 1, "images_missing", RETURNED, "only 1 of 2 images"),
        Case("too_few", 1, "images_missing", RETURNED, "only 1 of 2 images"),
        Case("close_descriptors", 1, "images_missing", RETURNED, "only 1 of 2 images"),
        Case("killed", 0, "killed", {"signal": "SIGKILL"}, "killed by SIGKILL"),
        Case("terminated", 0, "killed", {"signal": "SIGTERM"}, "SIGTERM"),
        Case("exit_text", 0, "script_failed", CRASHED, "code 1: nothing to do"),
        Case("exit_code code=3", 0, "script_failed", {"exitCode": 3}, "exit code 3."),
        Case("out_of_memory", 0, "out_of_memory", CRASHED, "ran out of memory while it loaded"),
        Case("out_of_memory_between", 1, "out_of_memory", CRASHED, "Request a smaller picture"),
        Case("too_much_memory", 0, "out_of_memory", CRASHED, "--max-models 1"),
        Case("disk_full", 0, "storage_failed", CRASHED, "Make room"),
        Case("missing_module", 0, "import_failed", CRASHED, "cv2_that_nobody_has"),
        Case("flood_stderr", 0, "script_failed", CRASHED, "after the flood"),
    ],
    ids=lambda case: case.behaviour,
)
async def test_failures(executor: Executor, tmp_path: Path, case: Case) -> None:
    events = await collect(
        finished_events(executor, task(tmp_path / "work", case.behaviour, iterations=2))
    )
    assert images(events) == list(range(1, case.ready + 1))
    why = failure(events)
    assert why.code == case.code
    assert case.text in why.message
    assert {**case.details, "stderr": why.details["stderr"]} == why.details
    shown = why.message + why.details["stderr"]
    assert str(tmp_path) not in shown
    assert str(FORK) not in shown
    assert len(why.details["stderr"]) < 65536


async def test_an_image_is_ready_while_the_script_goes_on(
    executor: Executor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = task(tmp_path / "work", f"wait_between gate={gate}", iterations=2)
    async with asyncio.timeout(PATIENCE), aclosing(finished_events(executor, work)) as events:
        async for event in events:
            if event == Progress(1, 1.0):
                break
        await asyncio.to_thread(gate.write_text, "go on")
        assert images(await collect(events)) == [2]


async def test_children_that_are_left_behind_do_not_outlive_the_job(
    executor: Executor, tmp_path: Path, lifeline: Lifeline
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    work = task(tmp_path / "work", f"leave_children lifeline={lifeline.path} gate={gate}")
    run = asyncio.create_task(collect(finished_events(executor, work)))
    await lifeline.pids(3)
    await asyncio.to_thread(gate.write_text, "go on")
    assert (await run)[-1] == Finished()
    assert await lifeline.all_gone()


async def next_event(events: object) -> Event:
    async with asyncio.timeout(PATIENCE):
        return await anext(events)  # type: ignore[call-overload,no-any-return]  # a generator


async def test_closing_the_generator_ends_a_deaf_tree(
    executor: Executor, tmp_path: Path, lifeline: Lifeline
) -> None:
    events = finished_events(executor, task(tmp_path / "work", f"deaf lifeline={lifeline.path}"))
    assert isinstance(await next_event(events), Started)
    await lifeline.pids(3)
    await events.aclose()
    assert await lifeline.all_gone()


async def test_a_second_cancellation_does_not_skip_the_end(
    executor: Executor, tmp_path: Path, lifeline: Lifeline
) -> None:
    events = finished_events(executor, task(tmp_path / "work", f"deaf lifeline={lifeline.path}"))
    started = await next_event(events)
    assert isinstance(started, Started)
    run = asyncio.create_task(collect(events))
    await lifeline.pids(3)
    run.cancel()
    await asyncio.wait({run}, timeout=0.05)  # it is about to end the tree
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not psutil.pid_exists(int(started.runner))
    assert await lifeline.all_gone()


async def test_close_ends_what_runs(executor: Executor, tmp_path: Path, lifeline: Lifeline) -> None:
    work = task(tmp_path / "work", f"hang lifeline={lifeline.path}")
    run = asyncio.create_task(collect(finished_events(executor, work)))
    await lifeline.pids(1)
    await executor.close()
    assert await lifeline.all_gone()
    assert failure(await run).code is FailureCode.KILLED


async def test_several_at_once(executor: Executor, tmp_path: Path) -> None:
    works = [task(tmp_path / str(n), iterations=n) for n in (1, 2, 3)]
    runs = await asyncio.gather(*(collect(finished_events(executor, work)) for work in works))
    assert [images(events) for events in runs] == [[1], [1, 2], [1, 2, 3]]


async def test_the_longest_prompt(executor: Executor, tmp_path: Path) -> None:
    work = task(tmp_path / "work", "\N{OWL}" * (MAX_PROMPT_BYTES // 4))
    assert (await collect(finished_events(executor, work)))[-1] == Finished()
    assert f"--prompt={work.params.dump()['prompt']}" in invocation(work)["argv"]


async def test_a_workdir_that_cannot_be_written(
    executor: Executor, tmp_path: Path, picture: Path
) -> None:
    work = task(tmp_path / "work", job_type=JobType.IMAGE_TO_IMAGE, image=picture)
    (work.workdir / "inputs").write_text("in the way")
    events = await collect(finished_events(executor, work))
    assert failure(events).code is FailureCode.STORAGE_FAILED
