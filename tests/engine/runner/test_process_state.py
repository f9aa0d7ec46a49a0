"""What a script leaves behind does not reach the next one."""

import builtins
import json
import logging
import random
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from sdrest.engine.runner import main
from tests.support.runner_scripts import run

MESS = """
import atexit, builtins, gc, io, logging, os, pathlib, signal, sys, threading, warnings
import numpy, random, tqdm
import beside, root_module
atexit.register((pathlib.Path.cwd() / "exit.txt").write_text, "bye")
beside.state.append("dirty")
os.environ["MESS"] = "1"
os.environ.pop("HOME", None)
os.chdir("/")
os.umask(0o077)
sys.argv.append("more")
sys.path.append("/mess")
sys.excepthook = None
sys.stdout = io.StringIO()
sys.setrecursionlimit(2345)
builtins.print = None
builtins.mess = 1
gc.disable()
warnings.simplefilter("error")
logging.disable(logging.CRITICAL)
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger().setLevel(1)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
numpy.seterr(all="raise")
random.seed(1)
numpy.random.seed(1)
bar = tqdm.tqdm(total=9, file=io.StringIO())
raise RuntimeError("with an open bar")
"""

LOOK = """
import builtins, gc, json, logging, pathlib, os, random, signal, sys, warnings
import numpy, tqdm
import beside
seen = {
    "beside": beside.state, "environ": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv,
    "path": sys.path, "excepthook": repr(sys.excepthook), "stdout": repr(sys.stdout),
    "limit": sys.getrecursionlimit(), "print": repr(print), "mess": hasattr(builtins, "mess"),
    "gc": gc.isenabled(), "warnings": repr(warnings.filters),
    "disabled": logging.root.manager.disable,
    "handlers": repr(logging.root.handlers), "level": logging.root.level,
    "sigterm": repr(signal.getsignal(signal.SIGTERM)), "seterr": numpy.geterr(),
    "umask": os.umask(0o022), "bars": len(tqdm.tqdm._instances),
}
os.umask(seen["umask"])
pathlib.Path("seen.json").write_text(json.dumps([seen, random.random(), numpy.random.rand()]))
"""


def seen(state: main.RunnerState, folder: Path) -> list[Any]:
    assert run(state, folder, LOOK) == (0, None, True)
    found: list[Any] = json.loads((folder / "seen.json").read_text())
    return found


def test_process_state_is_reset_after_a_job(folder: Path) -> None:
    state = main.RunnerState()
    with state.watch_imports():
        seen(state, folder)  # imports numpy, which adds filters of warnings
        before, *drawn = seen(state, folder)
        assert run(state, folder, MESS)[::2] == (1, True)
        after, *drawn_after = seen(state, folder)
    assert after["environ"].pop("IMPORTED") == "yes"  # modules are imported once
    assert after == before
    assert (folder / "exit.txt").read_text() == "bye"
    assert set(drawn).isdisjoint(drawn_after)
    assert "beside" not in sys.modules
    assert "root_module" in sys.modules
    assert hasattr(builtins, "print")
    assert random.random() != 0.13436424411240122  # what seed 1 gives
    assert warnings.filters
    assert logging.root.manager.disable == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_thread_that_still_runs_is_reported(folder: Path) -> None:
    state = main.RunnerState()
    text = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    with state.watch_imports():
        assert run(state, folder, text) == (0, None, False)
        assert run(state, folder, "") == (0, None, True)


def test_an_exit_function_of_a_library_waits_for_the_end(folder: Path) -> None:
    (folder / "root_module.py").write_text(
        "import atexit\ncalls = []\nregistered = atexit.register(calls.append, 1)\n"
    )
    state = main.RunnerState()
    text = "import root_module, sys\nassert root_module.calls == []\n"
    with state.watch_imports():
        assert run(state, folder, text) == (0, None, True)
        assert run(state, folder, text) == (0, None, True)


def test_locks_of_bars_are_given_back(folder: Path) -> None:
    state = main.RunnerState()
    text = """
import tqdm
tqdm.tqdm(range(0)).close()
for lock in tqdm.tqdm._lock.locks:
    lock.acquire()
"""
    with state.watch_imports():
        run(state, folder, text)
    lock = sys.modules["tqdm"].tqdm._lock
    taken: list[bool] = []

    def take() -> None:
        for one in lock.locks:
            taken.append(one.acquire(timeout=5))
            one.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert set(taken) == {True}


TORCH = """
flags = {"dtype": "float32", "grad": True}
get_default_dtype = lambda: flags["dtype"]
def set_default_dtype(value): flags["dtype"] = value
is_grad_enabled = lambda: flags["grad"]
def set_grad_enabled(value): flags["grad"] = value
seeds = []
manual_seed = seeds.append
class cudnn:
    benchmark = False
class backends:
    cudnn = cudnn
"""


def test_flags_of_torch_are_put_back(folder: Path) -> None:
    (folder / "torch.py").write_text(TORCH)
    mess = """
import torch
assert torch.flags == {"dtype": "float32", "grad": True}, torch.flags
assert not torch.backends.cudnn.benchmark
torch.set_default_dtype("float64")
torch.set_grad_enabled(False)
torch.backends.cudnn.benchmark = True
"""
    state = main.RunnerState()
    try:
        with state.watch_imports():
            assert run(state, folder, mess) == (0, None, True)
            assert run(state, folder, mess) == (0, None, True)
        assert sys.modules["torch"].seeds == [67280421310721]
    finally:
        sys.modules.pop("torch", None)


def test_code_that_changed_is_noticed(folder: Path) -> None:
    state = main.RunnerState()
    with state.watch_imports():
        run(state, folder, "import root_module")
    state.sources.remember([str(folder)])
    assert not state.sources.changed()
    (folder / "root_module.py").unlink()
    assert state.sources.changed()
