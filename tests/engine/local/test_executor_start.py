"""How an executor starts scripts, and what it says when that is impossible."""

import os
import sys
from pathlib import Path

import pytest

from sdrest.engine.base import Finished
from sdrest.engine.local.invocation import plan
from sdrest.engine.local.runner import Runner
from sdrest.errors import FailureCode
from tests.fakes.running import (
    FORK,
    copy_fork,
    failure,
    fake_repository,
    invocation,
    run_alone,
    task,
)

pytestmark = pytest.mark.integration


async def test_how_a_script_is_started(tmp_path: Path) -> None:
    work = task(tmp_path / "work", prompt="--skip_save $(touch x)", sampler="plms", seed=7)
    assert (await run_alone(work))[-1] == Finished()
    facts = invocation(work)
    script = str(FORK / "scripts" / "txt2img.py")
    assert facts["argv"][0] == facts["main"] == script
    assert "--prompt=--skip_save $(touch x)" in facts["argv"]
    assert {"--skip_grid", "--plms", "--seed=42", "--ddim_steps=8"} < set(facts["argv"])
    assert facts["argv"][-2:] == ["--precision", "full"]  # no torch here
    assert facts["cwd"] == str(FORK)
    assert facts["path"] == [str(FORK / "scripts"), str(FORK)]
    assert facts["environment"]["PYTHONPATH"].split(os.pathsep)[0] == str(FORK)
    assert facts["environment"]["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert not {"COLUMNS", "LINES"} & set(facts["environment"])
    assert facts["sigint_interrupts"]
    assert facts["leader"]
    assert facts["stdin"] == ""
    assert facts["inherited"] == []


async def test_what_is_missing_fails_without_a_process(tmp_path: Path) -> None:
    events = await run_alone(task(tmp_path / "work"), root=tmp_path / "nowhere")
    assert len(events) == 1
    assert failure(events).code is FailureCode.REPOSITORY_MISSING


@pytest.mark.parametrize(
    "program", ["#!/nowhere/python\n", "#!/bin/sh\necho 'SyntaxError' >&2\nexit 1\n"]
)
async def test_a_python_that_does_not_start(tmp_path: Path, program: str) -> None:
    python = tmp_path / "python"
    python.write_text(program)
    python.chmod(0o755)
    events = await run_alone(task(tmp_path / "work"), python=python)
    why = failure(events)
    assert why.code is FailureCode.PYTHON_MISSING
    assert why.details.get("stderr") in {None, "SyntaxError"}


async def test_advice_names_the_python_of_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "fork"
    copy_fork(root)
    python = root / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    events = await run_alone(task(tmp_path / "work", "missing_module"), root=root, python=python)
    advice = "REPOSITORY/venv/bin/python -m pip install cv2-that-nobody-has"
    assert advice in failure(events).message


async def test_a_runner_that_cannot_be_started() -> None:
    runner = Runner(stderr_tail=1)
    with pytest.raises(RuntimeError, match="not started"):
        runner.submit(plan(task(Path()), fake_repository()), fake_repository())
    with pytest.raises(FileNotFoundError):
        await runner.start(fake_repository(python=None))
    assert runner.result is None
    await runner.end()
