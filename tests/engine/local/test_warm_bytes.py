"""The bundled engine in a runner that stays: the same bytes as its scripts make on their own."""

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdrest.engine.base import Event, Finished, ImageReady, Progress, Started, Task
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.invocation import plan
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.repository import Repository, locate
from sdrest.job_types import JobType
from sdrest.params import validate
from sdrest.settings import Settings
from tests.fakes.running import collect
from tests.support import tiny

pytestmark = pytest.mark.integration

TEXT, IMAGE, INPAINT = JobType


@dataclass(frozen=True)
class Ask:
    kind: JobType
    fields: dict[str, Any]
    end: str = "complete"


SMALL = {"height": 256, "width": 256}
ASKED = (
    Ask(TEXT, {"prompt": "a red house", **SMALL, "steps": 4, "seed": 1}),
    Ask(INPAINT, {"steps": 4, "seed": 2}),
    Ask(TEXT, {"prompt": "a boat", **SMALL, "steps": 50, "iterations": 9}, "interrupted"),
    Ask(IMAGE, {"prompt": "a lake", "steps": 4, "seed": 3, "eta": 0.5}),
    Ask(TEXT, {"prompt": "a cat", **SMALL, "steps": 4, "seed": 4, "sampler": "plms"}),
    Ask(INPAINT, {"steps": 8, "seed": 2}),
    Ask(TEXT, {"prompt": "a red house", **SMALL, "steps": 4, "seed": 1, "batchSize": 2}),
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return locate(Settings(repository=str(tmp_path / "none")))


class Jobs:
    """Tasks in folders of their own, with a picture and a mask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image, self.mask = folder / "image.png", folder / "mask.png"
        Image.linear_gradient("L").convert("RGB").save(self.image)
        mask = Image.new("L", (256, 256))
        mask.paste(255, (60, 60, 160, 160))
        mask.save(self.mask)

    def task(self, number: int, asked: Ask) -> Task:
        workdir = self.folder / str(number)
        workdir.mkdir()
        files = {name: getattr(self, name) for name in asked.kind.uploads}
        params = validate(asked.kind, asked.fields)
        return Task(id="x", params=params, seed=params.seed or 0, workdir=workdir, **files)


def bare(task: Task, repository: Repository) -> list[bytes]:
    """Run the script as a program of its own; return its pictures."""
    invocation = plan(task, repository)
    output = task.workdir / "bare"
    arguments = [f"--outdir={output}" if a.startswith("--outdir=") else a
                 for a in invocation.arguments]  # fmt: skip
    if invocation.seed is None:
        done = tiny.run(invocation.script.name, *arguments)
    else:
        inputs = [f"--indir={invocation.inputs}" if a.startswith("--indir=") else a
                  for a in arguments]  # fmt: skip
        done = tiny.run_seeded(invocation.seed, invocation.script.name, *inputs)
    assert done.returncode == 0, done.stderr
    made = task.workdir / "output"
    return [(output / path.relative_to(made)).read_bytes() for path in invocation.images]


async def interrupted(executor: LocalExecutor, task: Task) -> list[Event]:
    events = []
    async with aclosing(executor.run(task)) as running:
        async for event in running:
            events.append(event)
            if isinstance(event, Progress) and event.fraction > 0:
                break
    return events


@pytest.mark.usefixtures("obedient")
async def test_every_picture_is_the_scripts_own(tmp_path: Path, repository: Repository) -> None:
    executor = LocalExecutor(repository, config=PoolConfig(keep_alive=-1))
    jobs, pids = Jobs(tmp_path), set()
    for number, asked in enumerate(ASKED):
        task = jobs.task(number, asked)
        if asked.end == "interrupted":
            events = await interrupted(executor, task)
        else:
            events = await collect(executor.run(task))
            assert events[-1] == Finished()
            made = [path.read_bytes() for path in plan(task, repository).images]
            assert len(made) == sum(isinstance(event, ImageReady) for event in events)
            assert made == bare(task, repository)
        assert isinstance(events[0], Started)
        pids.add(events[0].runner)
    await executor.close()
    assert len(pids) == 1


async def test_preloading_it_draws_nothing(tmp_path: Path, repository: Repository) -> None:
    executor = LocalExecutor(repository, config=PoolConfig(keep_alive=-1))
    executor.preload()
    events = await collect(executor.run(Jobs(tmp_path).task(0, ASKED[0])))
    assert events[-1] == Finished()
    await executor.close()
