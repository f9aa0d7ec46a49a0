"""Runs a repository's scripts, unedited, inside that repository's own Python.

Started as `PYTHON -u host.py JOBS EVENTS MODELS` with two pipes besides the standard streams: jobs
come in, events go out, each a JSON object on a line. The standard streams belong to the script
alone. Between jobs, imported modules and up to MODELS models stay (see the package).

    in   {"id", "script", "arguments", "path", "cwd", "seed", "takes_precision", "preload"},
         {"interrupt": id}
    out  {"event": "ready"}, {"event": "started", "id"}, {"event": "flagged", "id", "image"},
         {"event": "finished", "id", "code", "exception", "clean"}

`finished` is told as soon as the script has returned, before the interpreter's teardown; `clean`
says whether another script would find the process as this one did. A job whose repository has
changed since its modules were imported is not started: the host leaves. A job to `preload` ends
when the model is loaded. The end of the jobs pipe, however it comes about, ends this process and
its whole group at once: nothing outlives the server. It must be the leader of a process group of
its own.

This file needs Python 3.8 and its standard library, nothing else of sdrest but its package.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.util
import json
import os
import queue
import random
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from sdrest.engine.runner import (
        import_hooks,
        interrupts,
        model_cache,
        process_state,
        safety,
        sources,
    )
else:  # pragma: no cover (run as a program, in a Python that has no sdrest)
    _folder = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "sdrest_runner", _folder / "__init__.py", submodule_search_locations=[str(_folder)]
    )
    sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
    from sdrest_runner import (
        import_hooks,
        interrupts,
        model_cache,
        process_state,
        safety,
        sources,
    )

_MAX_TEXT_LENGTH = 2000
_MAX_CAUSES = 10
_PACKAGE = str(Path(import_hooks.__file__).parent)
_HIDDEN_FILES = (_PACKAGE, "<frozen importlib")
"""How the names of files begin that a traceback of the script's does not show."""


class RunnerState:
    """What stays in this process from job to job."""

    def __init__(self, models: int = 1) -> None:
        self.interrupts = interrupts.Interrupts((__file__, _PACKAGE))
        self.imports = import_hooks.ImportHooks()
        self.model_cache = model_cache.ModelCache(models, has_accelerator)
        self.sources = sources.SourceFiles()
        self.safety = safety.SafetyCheckerWatch()

    @contextlib.contextmanager
    def watch_imports(self) -> Iterator[None]:
        """Watch what is imported for as long as the block lasts."""
        self.imports.install()
        self.model_cache.watch(self.imports)
        self.safety.watch(self.imports)
        try:
            yield
        finally:
            self.imports.remove()


def main(arguments: list[str]) -> None:  # pragma: no cover (its process ends by SIGKILL)
    """Serve the jobs of the pipe `arguments[0]`, tell their events on the pipe `arguments[1]`."""
    jobs, events, models = map(int, arguments)
    for descriptor in (jobs, events):
        os.set_inheritable(descriptor, False)  # not for the script's children
    signal.signal(signal.SIGINT, interrupts.ignore)  # a shell's `&` has it ignored
    state = RunnerState(models)
    with state.watch_imports():
        serve(receive(jobs, state), events, state)


def receive(
    jobs: int, state: RunnerState
) -> Iterator[dict[str, Any]]:  # pragma: no cover (as above)
    """Yield the jobs of a pipe. A thread reads it at all times, to see its end during a job."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        # Anything that ends the reading is the end of the server, as far as can be known here.
        with contextlib.suppress(Exception), os.fdopen(jobs, "rb", closefd=False) as lines:
            for line in lines:
                message = json.loads(line)
                if "interrupt" in message:
                    state.interrupts.request(message["interrupt"])
                else:
                    waiting.put(message)
        os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=read, name="sdrest", daemon=True).start()
    while True:
        yield waiting.get()


def serve(jobs: Iterator[dict[str, Any]], events: int, state: RunnerState) -> None:
    """Run one job after the other. Leaves with a job's code if nobody can be told of it."""
    own = os.getpid()
    send(events, {"event": "ready"})
    for job in jobs:
        if state.sources.changed():
            return
        process_state.reap_children()
        send(events, {"event": "started", "id": job["id"]})
        state.safety.begin(functools.partial(send_flagged, events, job["id"]))
        code, exception, clean = run(job, state)
        if os.getpid() != own:  # a fork of the script that came to the script's end
            os._exit(code)
        finished = {"event": "finished", "id": job["id"], "code": code, "exception": exception}
        try:
            send(events, {**finished, "clean": clean})
        except OSError:  # the script has closed descriptors that are not its own
            sys.exit(code)
        state.sources.remember(job["path"][-1:])
        gc.collect()


def send_flagged(events: int, job: str, image: int) -> None:
    """Write that the safety checker replaces an image; it is written before the image is."""
    with contextlib.suppress(OSError):  # the script has closed descriptors that are not its own
        send(events, {"event": "flagged", "id": job, "image": image})


def send(events: int, message: dict[str, Any]) -> None:
    """Write an event, on a line of its own even where a script wrote garbage into the pipe."""
    data = b"\n" + json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(events, data) :]


def run(job: dict[str, Any], state: RunnerState) -> tuple[int, dict[str, Any] | None, bool]:
    """Run a script as `python SCRIPT ARGUMENTS` would.

    Returns its exit code, what it raised, and whether it has left no traces in this process: one
    that an import has ended leaves half a module.
    """
    initial = process_state.ProcessState(state.imports, str(Path(job["script"]).parent))
    with _script_environment(job):
        code, exception, is_half_imported = _execute(job, state, initial)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a script may have closed it
                stream.flush()
    state.imports.failure = None  # it keeps variables
    return code, exception, initial.restore() and not is_half_imported


@contextlib.contextmanager
def _script_environment(job: dict[str, Any]) -> Iterator[None]:
    """Set argv, the working directory and the search path as the script expects them."""
    here = Path(__file__).resolve().parent  # its modules must not hide the script's
    argv, path, cwd = sys.argv, sys.path[:], Path.cwd()
    sys.argv = [job["script"], *job["arguments"]]
    sys.path[:] = [*job["path"], *(entry for entry in path if Path(entry).resolve() != here)]
    os.chdir(job["cwd"])
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.argv, sys.path[:] = argv, path


def _execute(
    job: dict[str, Any], state: RunnerState, initial: process_state.ProcessState
) -> tuple[int, dict[str, Any] | None, bool]:
    """Return the exit code, what was raised, and whether an import raised it."""
    try:
        try:
            state.interrupts.arm(job["id"])
            with initial.exit_handlers():
                _run_script(job, state)
        finally:
            state.interrupts.disarm()
    except model_cache.ModelLoaded:
        return 0, None, False
    except SystemExit as error:
        return _exit_code(error), None, _is_caused_by(error, state.imports.failure)
    except BaseException as error:  # noqa: BLE001 (what a script raises is its own business)
        with contextlib.suppress(Exception):  # its stderr may be closed
            traceback.print_exception(type(error), error, _script_frames(error, job["script"]))
        return 1, describe(error), _is_caused_by(error, state.imports.failure)
    return 0, None, False


def _is_caused_by(error: BaseException | None, cause: BaseException | None) -> bool:
    """Whether an exception is `cause`, or was raised because of it or while it was handled."""
    seen: set[int] = set()
    while error is not None and error is not cause and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return error is not None and error is cause


def _run_script(job: dict[str, Any], state: RunnerState) -> None:
    with state.interrupts.shielded():
        process_state.reset_random_generators()
        if job["seed"] is not None:
            seed(job["seed"])
        if job["takes_precision"] and not has_accelerator():
            sys.argv += ["--precision", "full"]  # autocast on a CPU ends in an error
    if job["preload"] and "torch" not in sys.modules:
        sys.argv[1:] = ["--help"]  # the imports are all that can stay
    state.model_cache.stop_when_loaded, state.model_cache.script = (
        job["preload"],
        Path(job["script"]).name,
    )
    try:
        runpy.run_path(job["script"], run_name="__main__")
    finally:
        for thread in threading.enumerate():  # as the interpreter does before it ends
            if not thread.daemon and thread is not threading.main_thread():
                thread.join()


def seed(value: int) -> None:
    """Seed every generator that a script may draw from, where it cannot be told a seed."""
    random.seed(value)
    with contextlib.suppress(ImportError):
        importlib.import_module("numpy").random.seed(value)
    with contextlib.suppress(ImportError):
        importlib.import_module("torch").manual_seed(value)


def has_accelerator() -> bool:
    """Whether torch is there and can compute on something else than the CPU."""
    try:
        torch = importlib.import_module("torch")
    except Exception:  # noqa: BLE001 (a broken torch: the script will tell)
        return False
    mps = getattr(torch.backends, "mps", None)
    return bool(torch.cuda.is_available() or (mps and mps.is_available()))


def describe(error: BaseException) -> dict[str, Any]:
    """Return what an exception is, in JSON values."""
    text = ""
    with contextlib.suppress(Exception):  # __str__ is foreign code
        text = str(error)[:_MAX_TEXT_LENGTH]
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "types": [kind.__name__ for kind in type(error).__mro__],
        "text": text,
        "errno": error.errno if isinstance(error, OSError) else None,
        "module": error.name if isinstance(error, ImportError) else None,
        "files": sorted({Path(frame.filename).name for frame in frames}),
        "causes": [text_of(cause) for cause in causes_of(error)],
    }


def text_of(error: BaseException) -> str:
    """Return an exception's class and text, as the end of a traceback shows them."""
    with contextlib.suppress(Exception):  # __str__ is foreign code
        return f"{type(error).__name__}: {error}"[:_MAX_TEXT_LENGTH]
    return type(error).__name__


def causes_of(error: BaseException) -> list[BaseException]:
    """Return the exceptions that led to an exception, the one before it first."""
    found: list[BaseException] = [error]
    while len(found) <= _MAX_CAUSES:
        cause = found[-1].__cause__ or found[-1].__context__
        if cause is None or cause in found:
            break
        found.append(cause)
    return found[1:]


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    with contextlib.suppress(Exception):  # its stderr may be closed
        print(error.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
    return 1


def _script_frames(error: BaseException, script: str) -> TracebackType | None:
    """Return the traceback from the script on, without this file, its helpers and runpy."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    last = frames
    while last:
        while last.tb_next and last.tb_next.tb_frame.f_code.co_filename.startswith(_HIDDEN_FILES):
            last.tb_next = last.tb_next.tb_next
        last = last.tb_next
    return frames


if __name__ == "__main__":
    main(sys.argv[1:])
