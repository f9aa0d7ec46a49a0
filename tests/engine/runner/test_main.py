import ast
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.engine.runner import main

SOURCES = sorted(Path(main.__file__).parent.glob("*.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    cwd, argv, path = Path.cwd(), sys.argv, sys.path[:]
    yield tmp_path
    assert (Path.cwd(), sys.argv, sys.path) == (cwd, argv, path)  # as it was before the script


def job(folder: Path, script: str, **changes: Any) -> dict[str, Any]:
    path = folder / "script.py"
    path.write_text(script)
    return {
        "id": "1",
        "script": str(path),
        "arguments": ["--a=1"],
        "path": [str(folder), str(folder / "checkout")],
        "cwd": str(folder),
        "seed": None,
        "takes_precision": False,
        "preload": False,
        "sampling": {},
        **changes,
    }


def run(job: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
    """Run a job in this process, as a runner does with its first one."""
    state = main.RunnerState()
    with state.watch_imports():
        code, exception, _ = main.run(job, state)
    return code, exception


OWN = {"sdrest", "sdrest_runner", "numpy"}  # numpy: where torch is, and not before


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_it_is_python_3_8_and_standard_library_only(source: Path) -> None:
    tree = ast.parse(source.read_text(), feature_version=(3, 8))
    modules = {
        (alias.name if isinstance(node, ast.Import) else str(node.module)).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level)
        for alias in node.names
    }
    assert modules - OWN <= set(sys.stdlib_module_names)


def test_a_script_runs_as_the_main_program(folder: Path) -> None:
    text = """
import os, pathlib, sys
assert __name__ == "__main__"
pathlib.Path("seen.txt").write_text(repr((sys.argv[1:], sys.path[:2], os.getcwd(), __file__)))
"""
    assert run(job(folder, text)) == (0, None)
    seen = (["--a=1"], [str(folder), str(folder / "checkout")], str(folder), f"{folder}/script.py")
    assert (folder / "seen.txt").read_text() == repr(seen)


def test_only_the_scripts_own_threads_are_waited_for(folder: Path) -> None:
    released = threading.Event()
    thread = threading.Thread(target=released.wait)
    thread.start()
    try:
        script = """
import pathlib, threading
threading.Timer(0.05, lambda: pathlib.Path("seen.txt").write_text("seen")).start()
"""
        assert run(job(folder, script)) == (0, None)
        assert (folder / "seen.txt").read_text() == "seen"
        assert thread.is_alive()
    finally:
        released.set()
        thread.join()


def test_the_runner_s_modules_do_not_hide_the_scripts(folder: Path) -> None:
    (folder / "failures.py").write_text("own = True")
    here = str(Path(main.__file__).parent)
    sys.path.insert(0, here)
    try:
        assert run(job(folder, "import failures\nassert failures.own")) == (0, None)
    finally:
        sys.path.remove(here)
        sys.modules.pop("failures", None)


@pytest.mark.parametrize(
    ("statement", "code", "stderr"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('no picture')", 1, "no picture\n"),
    ],
)
def test_exit_codes(
    folder: Path, capfd: pytest.CaptureFixture[str], statement: str, code: int, stderr: str
) -> None:
    assert run(job(folder, f"import sys\n{statement}")) == (code, None)
    assert capfd.readouterr().err == stderr


def test_an_exception_is_shown_as_python_shows_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, exception = run(job(folder, "def f():\n    raise ValueError('x')\nf()\n"))
    assert code == 1
    assert exception == {
        "types": ["ValueError", "Exception", "BaseException", "object"],
        "text": "x",
        "errno": None,
        "module": None,
        "files": exception["files"] if exception else None,
        "causes": [],
    }
    assert "script.py" in exception["files"]
    shown = capfd.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("ValueError: x\n")
    assert "host.py" not in shown
    assert "runpy" not in shown


def test_the_causes_of_an_exception_are_described(folder: Path) -> None:
    text = """
class Mute(Exception):
    def __str__(self):
        raise ValueError

try:
    try:
        try:
            raise Mute
        except Mute:
            raise MemoryError("first")
    except MemoryError as error:
        raise OSError("second") from error
except OSError as error:
    raise ImportError("last")
"""
    _, exception = run(job(folder, text))
    assert exception
    assert exception["causes"] == ["OSError: second", "MemoryError: first", "Mute"]


def test_a_cycle_of_causes_ends(folder: Path) -> None:
    text = "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a\n"
    _, exception = run(job(folder, text))
    assert exception
    assert exception["causes"] == ["ValueError: b"]


@pytest.mark.parametrize(
    ("statement", "facts"),
    [
        ("import no_such_module.x", {"module": "no_such_module", "text": "No module named "}),
        ("open('/nowhere/x')", {"errno": 2}),
        ("raise OSError(28, 'No space left on device')", {"errno": 28}),
        ("raise KeyboardInterrupt", {"text": ""}),
        ("syntax error here", {"text": ""}),
        ("class E(Exception):\n  def __str__(self): raise ValueError\nraise E", {"text": ""}),
        ("raise ValueError('x' * 10000)", {"text": "x" * 2000}),
    ],
)
def test_the_report_of_an_exception(folder: Path, statement: str, facts: dict[str, Any]) -> None:
    code, exception = run(job(folder, statement))
    assert code == 1
    assert exception is not None
    for name, value in facts.items():
        found = exception[name]
        assert found.startswith(value) if isinstance(value, str) else found == value
    json.dumps(exception)


def test_threads_of_the_script_are_waited_for(folder: Path) -> None:
    text = """
import pathlib, threading
go = threading.Event()
def write():
    go.wait()
    pathlib.Path("late.txt").write_text("here")
threading.Thread(target=write).start()
threading.Thread(target=go.set).start()
"""
    assert run(job(folder, text)) == (0, None)
    assert (folder / "late.txt").read_text() == "here"


def fake_torch(folder: Path, backends: str, *, cuda: bool = False) -> None:
    (folder / "torch.py").write_text(f"""
class cuda:
    is_available = staticmethod(lambda: {cuda})
class mps:
    is_available = staticmethod(lambda: True)
class backends:
    {backends}
seeds = []
manual_seed = seeds.append
""")


PRINT_ARGUMENTS = """
import pathlib, sys
pathlib.Path("arguments.txt").write_text(" ".join(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("torch", "arguments"),
    [
        (None, "--a=1 --precision full"),
        ({"backends": "pass"}, "--a=1 --precision full"),
        ({"backends": "pass", "cuda": True}, "--a=1"),
        ({"backends": "mps = mps"}, "--a=1"),
    ],
)
def test_full_precision_without_an_accelerator(
    folder: Path, torch: dict[str, Any] | None, arguments: str
) -> None:
    if torch is not None:
        fake_torch(folder, **torch)
    try:
        assert run(job(folder, PRINT_ARGUMENTS, takes_precision=True)) == (0, None)
    finally:
        sys.modules.pop("torch", None)
    assert (folder / "arguments.txt").read_text() == arguments


def test_a_broken_torch_is_left_to_the_script(folder: Path) -> None:
    (folder / "torch.py").write_text("raise OSError('libcuda.so')")
    code, exception = run(job(folder, "import torch", takes_precision=True))
    assert code == 1
    assert exception is not None
    assert exception["text"] == "libcuda.so"


def test_all_generators_are_seeded(folder: Path) -> None:
    fake_torch(folder, "pass")
    text = """
import pathlib, random, torch
import numpy as np
pathlib.Path("drawn.txt").write_text(repr((random.random(), np.random.rand(), torch.seeds)))
"""
    state = random.getstate()
    try:
        drawn = set()
        for _ in range(2):
            assert run(job(folder, text, seed=2**32 - 1)) == (0, None)
            drawn.add((folder / "drawn.txt").read_text())
            sys.modules.pop("torch", None)
    finally:
        random.setstate(state)
    assert len(drawn) == 1
    assert "[4294967295]" in drawn.pop()


def test_events_of_two_jobs(folder: Path) -> None:
    read_end, write_end = os.pipe()
    jobs = [job(folder, "import sys; sys.exit(len(sys.argv))", id=name) for name in ("a", "b")]
    state = main.RunnerState()
    with state.watch_imports():
        main.serve(iter(jobs), write_end, state)
    os.close(write_end)
    with os.fdopen(read_end) as events:
        messages = [json.loads(line) for line in events if line.strip()]
    assert messages == [
        {"event": "ready"},
        {"event": "started", "id": "a"},
        {"event": "finished", "id": "a", "code": 2, "exception": None, "clean": True},
        {"event": "started", "id": "b"},
        {"event": "finished", "id": "b", "code": 2, "exception": None, "clean": True},
    ]


def test_a_runner_that_cannot_report_exits_with_the_scripts_code(folder: Path) -> None:
    read_end, write_end = os.pipe()
    text = f"import os; os.close({write_end}); raise SystemExit(7)"
    state = main.RunnerState()
    with state.watch_imports(), pytest.raises(SystemExit) as left:
        main.serve(iter([job(folder, text)]), write_end, state)
    os.close(read_end)
    assert left.value.code == 7
