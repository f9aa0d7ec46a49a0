"""An interrupt ends a script, but never an import, and only the job that it is for."""

import sys
from pathlib import Path

import pytest

from sdrest.engine.runner import main
from tests.support.runner_scripts import run

# A script that is interrupted while it waits; `sys.state` is the runner's, for the script to find.
WAIT = "import sys, time\nsys.state.steps.append('went on')\ntime.sleep(600)\n"


REQUEST = "import sys\nsys.state.interrupts.request('1')\n"


@pytest.mark.parametrize(
    "statement",
    [
        "import root_module",
        "from root_module import value",
        "import importlib\nimportlib.import_module('root_module')",
        "__import__('root_module')",
        "import outer_module",
        "import folder_module.inner",
    ],
)
def test_an_interrupt_waits_for_imports(
    folder: Path, state: main.RunnerState, statement: str
) -> None:
    busy = "import time\nend = time.monotonic() + 0.05\nwhile time.monotonic() < end: pass\n"
    (folder / "root_module.py").write_text(f"{REQUEST}{busy}value = 1\n")
    (folder / "outer_module.py").write_text(f"import root_module\n{busy}value = 1\n")
    (folder / "folder_module").mkdir()
    (folder / "folder_module/__init__.py").write_text(f"{REQUEST}{busy}value = 1\n")
    (folder / "folder_module/inner.py").write_text(f"{busy}value = 1\n")
    names = {"root_module", "outer_module", "folder_module", "folder_module.inner"}
    try:
        code, exception, clean = run(state, folder, f"{statement}\n{WAIT}")
        imported = [sys.modules[name] for name in names & set(sys.modules)]
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert (code, exception["types"][0], clean) == (1, "KeyboardInterrupt", True)
    assert imported
    assert all(module.value == 1 for module in imported)  # none is there in part


@pytest.mark.parametrize(
    ("raises", "script", "clean"),
    [
        ("RuntimeError('half')", "import root_module", False),
        ("ImportError('half')", "import root_module", False),
        ("SystemExit(3)", "import root_module", False),
        ("KeyboardInterrupt", "import root_module", False),
        ("OSError", "try: import root_module\nexcept OSError: raise ValueError", False),
        ("ImportError", "try: import root_module\nexcept ImportError: pass", True),
        ("ImportError", "try: import root_module\nexcept ImportError: pass\nopen('/no')", True),
        ("ImportError", "try: import root_module\nfinally: pass", False),
    ],
)
def test_an_import_that_ends_a_script_ends_the_runner(
    folder: Path, state: main.RunnerState, raises: str, script: str, *, clean: bool
) -> None:
    (folder / "root_module.py").write_text(f"raise {raises}\n")
    assert run(state, folder, script)[2] is clean


def test_an_interrupt_before_the_job_starts(folder: Path) -> None:
    state = main.RunnerState()
    state.interrupts.request("1")
    with state.watch_imports():
        assert run(state, folder, "import os\nos.mkdir('x')")[0] == 1
        assert run(state, folder, "import os\nos.mkdir('y')") == (0, None, True)
    assert not (folder / "x").exists()


def test_an_interrupt_for_another_job_is_ignored(folder: Path) -> None:
    state = main.RunnerState()
    sys.state = state  # type: ignore[attr-defined]  # for the script to find
    try:
        with state.watch_imports():
            text = "import sys\nsys.state.interrupts.request('2')\n"
            assert run(state, folder, text) == (0, None, True)
    finally:
        del sys.state  # type: ignore[attr-defined]  # as above


def test_an_interrupt_ends_a_script(folder: Path) -> None:
    state = main.RunnerState()
    sys.state = state  # type: ignore[attr-defined]  # for the script to find
    text = "import signal, sys\nsys.state.interrupts.request('1')\nsignal.pause()\n"
    try:
        with state.watch_imports():
            code, exception, _ = run(state, folder, text)
    finally:
        del sys.state  # type: ignore[attr-defined]  # as above
    assert (code, exception["types"][0]) == (1, "KeyboardInterrupt")


def test_helpers_do_not_show_in_tracebacks(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "root_module.py").write_text("raise ValueError('here')\n")
    state = main.RunnerState()
    with state.watch_imports():
        run(state, folder, "import root_module")
    shown = capfd.readouterr().err
    assert shown.count("File ") == 2
    assert "engine/runner" not in shown


def test_an_interrupt_ends_the_filling_of_a_weight(folder: Path, state: main.RunnerState) -> None:
    """The longest calls while a model is built are made by the runner's own code."""
    script = (
        "import time\nfrom sdrest.engine.runner.initialization import Initialization\n"
        f"{REQUEST}Initialization(skipped=False)._handle(time.sleep, (60,), {{}})\n"
    )
    code, exception, clean = run(state, folder, script)
    assert (code, exception["types"][0], clean) == (1, "KeyboardInterrupt", True)
