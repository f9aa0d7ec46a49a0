"""The Python API, with the fake fork."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import psutil
import pytest
from PIL import Image

import sdrest
from sdrest import api
from sdrest.job_types import JobType
from sdrest.params import picture_fields
from sdrest.settings import Settings
from tests.fakes.running import FORK, PATIENCE, collect, failure, images

pytestmark = pytest.mark.integration

PLACES: Any = {"repository": FORK, "python": sys.executable}

OPTIONS = {
    JobType.TEXT_TO_IMAGE: api.TextToImageOptions,
    JobType.IMAGE_TO_IMAGE: api.ImageToImageOptions,
    JobType.INPAINT_IMAGE: api.InpaintImageOptions,
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_events_of_a_prompt(tmp_path: Path) -> None:
    made = sdrest.text_to_image(
        "paint", iterations=2, width=256, height=256, seed=None, output=tmp_path, **PLACES
    )
    events = await collect(made)
    assert isinstance(events[0], sdrest.Started)
    assert events[-1] == sdrest.Finished()
    assert images(events) == [1, 2]
    paths = [event.path for event in events if isinstance(event, sdrest.ImageReady)]
    assert paths == [tmp_path / "1.png", tmp_path / "2.png"]
    assert names(tmp_path) == ["1.png", "2.png"]


@pytest.mark.parametrize("previews", [True, False])
async def test_previews_come_before_their_image(*, tmp_path: Path, previews: bool) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    made = sdrest.text_to_image(
        f"preview gate={gate}",
        width=256,
        height=256,
        output=tmp_path / "out",
        previews=previews,
        **PLACES,
    )
    events = []
    async with asyncio.timeout(PATIENCE):
        async for event in made:
            events.append(event)
            if isinstance(event, sdrest.Preview if previews else sdrest.Progress) and gate.exists():
                await asyncio.to_thread(gate.write_text, "x")
                gate.unlink()
    shown = [event for event in events if isinstance(event, sdrest.Preview)]
    assert events[-1] == sdrest.Finished()
    assert {(event.index, event.media_type) for event in shown} == (
        {(1, "image/jpeg")} if previews else set()
    )
    ready = next(event for event in events if isinstance(event, sdrest.ImageReady))
    assert all(events.index(event) < events.index(ready) for event in shown)


async def test_events_of_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), "white").save(picture)
    out = tmp_path / "out"
    painted = await collect(sdrest.image_to_image("paint", picture, output=out, **PLACES))
    filled = await collect(sdrest.inpaint_image(picture, picture, output=out, **PLACES))
    assert [painted[-1], filled[-1]] == [sdrest.Finished()] * 2
    assert names(out) == ["1.png", "2.png"]


async def test_a_failure_is_the_last_event(tmp_path: Path) -> None:
    made = sdrest.text_to_image("crash_before", width=256, height=256, output=tmp_path, **PLACES)
    assert failure(await collect(made)).code is sdrest.FailureCode.SCRIPT_FAILED
    assert names(tmp_path) == []


async def test_ending_early_ends_the_script(tmp_path: Path) -> None:
    made = sdrest.text_to_image(
        "paint", iterations=3, width=256, height=256, output=tmp_path, **PLACES
    )
    async for event in made:
        if isinstance(event, sdrest.ImageReady):
            break
    await made.aclose()
    assert names(tmp_path) == ["1.png"]


def test_wrong_values_are_refused_at_the_call() -> None:
    with pytest.raises(sdrest.InvalidRequestError, match="iterations"):
        sdrest.text_to_image("paint", iterations=0)
    with pytest.raises(TypeError, match="no option 'colour'"):
        sdrest.text_to_image("paint", colour="red")  # type: ignore[call-arg]  # the wrong value


@pytest.mark.parametrize(
    ("given", "meant"), [("negativePrompt", "negative_prompt"), ("allowPickle", "allow_pickle")]
)
def test_an_option_in_the_spelling_of_the_api_is_refused_with_pythons(
    given: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=f"no option '{given}'; did you mean {meant}\\?$"):
        sdrest.text_to_image("paint", **{given: "fog"})  # type: ignore[arg-type]  # the wrong name


@pytest.mark.parametrize("job_type", JobType)
def test_options_are_the_declared_parameters(job_type: JobType) -> None:
    hints = get_type_hints(OPTIONS[job_type])
    flags = get_type_hints(api.Options).keys()
    assert flags <= set(Settings.__dataclass_fields__)
    fields = picture_fields(job_type)
    assert hints.keys() - flags == fields.keys() - {"prompt"}
    for name in hints.keys() - flags - {"seed"}:
        assert hints[name] is fields[name].annotation


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, sdrest; sys.exit(str(sorted("
        "{'asyncio', 'PIL', 'pydantic', 'click', 'sdrest.api'} & sys.modules.keys())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.strip() == "[]"


def test_only_what_is_there_can_be_imported() -> None:
    assert all(hasattr(sdrest, name) for name in sdrest.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sdrest.nothing  # noqa: B018 (asking is the test)


PROGRAM = """
import asyncio, sys
import sdrest
from sdrest import api

api.STOP_SECONDS = 60  # a busy machine may take long to see that the script has ended

async def main():
    made = sdrest.text_to_image(
        sys.argv[1], iterations=2, width=256, height=256, output="out", repository=sys.argv[2],
        python=sys.executable,
    )
    async for event in made:
        print(type(event).__name__, flush=True)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""


async def test_a_program_is_interrupted_where_its_script_was_signalled_before(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "gate")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, f"wait_between gate={tmp_path}/gate", str(FORK)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while await process.stdout.readline() != b"ImageReady\n":
        pass
    (script,) = psutil.Process(process.pid).children()
    script.send_signal(signal.SIGINT)
    script.send_signal(signal.SIGTERM)
    await asyncio.to_thread(script.wait, PATIENCE)
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert out.split()[-1] == b"interrupted"
    assert b"Finished" not in out
    assert names(tmp_path / "out") == ["1.png"]


async def test_a_killed_script_is_a_failure_of_a_program_that_goes_on(tmp_path: Path) -> None:
    made = sdrest.text_to_image("terminated", width=256, height=256, output=tmp_path, **PLACES)
    assert failure(await collect(made)).code is sdrest.FailureCode.KILLED
