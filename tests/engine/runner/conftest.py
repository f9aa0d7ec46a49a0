"""A folder with a script and a module, and the state of a runner."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdrest.engine.runner import main


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "beside.py").write_text("state = []\n")
    (tmp_path / "root_module.py").write_text("import os\nos.environ['IMPORTED'] = 'yes'\n")
    environment = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(environment)
    sys.modules.pop("root_module", None)


@pytest.fixture
def state() -> Iterator[main.RunnerState]:
    state = main.RunnerState()
    state.steps = []  # type: ignore[attr-defined]  # for scripts to tell
    sys.state = state  # type: ignore[attr-defined]  # as above
    with state.watch_imports():
        yield state
    del sys.state  # type: ignore[attr-defined]  # as above
