"""Runs a repository's scripts, unedited, inside that repository's own Python.

Started as `PYTHON -u main.py JOBS EVENTS MODELS`, where JOBS and EVENTS are descriptors of pipes:
jobs come in, events go out, each a JSON object on a line. The standard streams belong to the
script. Imported modules and up to MODELS models stay in memory between jobs.

    in   {"id", "script", "arguments", "path", "cwd", "seed", "takes_precision", "preload",
          "sampling", "checkpoint", "trusted"},
         {"interrupt": id}
    out  {"event": "ready"}, {"event": "started", "id"}, {"event": "flagged", "id", "image"},
         {"event": "attention", "id", "attention", "device"},
         {"event": "preview", "id", "image", "type", "data"} (`data`: a picture in base64),
         {"event": "finished", "id", "code", "exception", "clean"}

`finished` is sent when the script has returned, before the interpreter's teardown; `clean` says
whether the next script finds the process as this one did. If the repository has changed since its
modules were imported, the runner exits without starting the job. A job to `preload` ends when the
model is loaded. The end of the jobs pipe, for whatever reason, kills this process and its process
group, which it must lead, so that nothing outlives the server.

This package needs Python 3.8 and its standard library.
"""

from __future__ import annotations

import contextlib
import functools
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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from sdrest.engine.runner import (
        exceptions,
        import_hooks,
        initialization,
        interrupts,
        memory,
        model_cache,
        process_state,
        safety,
        sampling,
        sources,
    )
else:  # pragma: no cover (run as a program, in a Python that has no sdrest)
    _folder = Path(__file__).resolve().parent
    _spec = importlib.util.spec_from_file_location(
        "sdrest_runner", _folder / "__init__.py", submodule_search_locations=[str(_folder)]
    )
    sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
    from sdrest_runner import (
        exceptions,
        import_hooks,
        initialization,
        interrupts,
        memory,
        model_cache,
        process_state,
        safety,
        sampling,
        sources,
    )

_PACKAGE = str(Path(import_hooks.__file__).parent)


class RunnerState:
    """What this process keeps from job to job."""

    def __init__(self, models: int = 1) -> None:
        self.interrupts = interrupts.Interrupts(
            (__file__, _PACKAGE), interruptible=(initialization.__file__,)
        )
        self.imports = import_hooks.ImportHooks()
        self.model_cache = model_cache.ModelCache(models, has_accelerator)
        self.sources = sources.SourceFiles()
        self.safety = safety.SafetyCheckerWatch()
        self.sampling = sampling.Sampling()

    @contextlib.contextmanager
    def watch_imports(self) -> Iterator[None]:
        """Watch imports while the block runs."""
        self.imports.install()
        self.model_cache.watch(self.imports)
        self.safety.watch(self.imports)
        self.sampling.watch(self.imports)
        try:
            yield
        finally:
            self.imports.remove()


def main(arguments: list[str]) -> None:  # pragma: no cover (its process ends by SIGKILL)
    """Run the jobs of the pipe `arguments[0]`; send their events to the pipe `arguments[1]`."""
    jobs, events, models = map(int, arguments)
    for descriptor in (jobs, events):
        os.set_inheritable(descriptor, False)  # not for the script's children
    memory.raise_oom_score()
    signal.signal(signal.SIGINT, interrupts.ignore)  # a shell's `&` ignores it
    state = RunnerState(models)
    with state.watch_imports():
        serve(receive(jobs, state), events, state)


def receive(
    jobs: int, state: RunnerState
) -> Iterator[dict[str, Any]]:  # pragma: no cover (as above)
    """Yield the jobs of a pipe. A thread reads the pipe, to notice its end during a job."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        # Whatever ends the reading means that the server has ended.
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
    """Run jobs one by one. Exits with a job's code if its end cannot be reported."""
    own = os.getpid()
    send(events, {"event": "ready"})
    for job in jobs:
        if state.sources.changed():
            return
        process_state.reap_children()
        send(events, {"event": "started", "id": job["id"]})
        report = functools.partial(send_report, events, job["id"])
        state.safety.begin(lambda image: report("flagged", {"image": image}))  # noqa: B023 (of this job)
        state.sampling.begin(job["sampling"], report)
        code, exception, clean = run(job, state)
        if os.getpid() != own:  # a child that the script forked, at the script's end
            os._exit(code)
        finished = {"event": "finished", "id": job["id"], "code": code, "exception": exception}
        try:
            send(events, {**finished, "clean": clean})
        except OSError:  # the script closed descriptors that are not its own
            sys.exit(code)
        state.sources.remember(job["path"][-1:])
        state.model_cache.end_job()


def send_report(events: int, job: str, event: str, content: dict[str, Any]) -> None:
    """Send an event of a running job."""
    with contextlib.suppress(OSError):  # the script closed descriptors that are not its own
        send(events, {"event": event, "id": job, **content})


def send(events: int, message: dict[str, Any]) -> None:
    """Write an event on a line of its own, even after garbage that a script wrote into the pipe."""
    data = b"\n" + json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(events, data) :]


def run(job: dict[str, Any], state: RunnerState) -> tuple[int, dict[str, Any] | None, bool]:
    """Run a script as `python SCRIPT ARGUMENTS` would.

    Returns its exit code, its exception, and whether this process is as it was before. An import
    that raised leaves half a module, so the process is not.
    """
    initial = process_state.ProcessState(state.imports, str(Path(job["script"]).parent))
    with _script_environment(job):
        code, exception, is_half_imported = _execute(job, state, initial)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # a script may have closed it
                stream.flush()
    state.imports.failure = None  # it refers to the script's variables
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
    """Return the exit code, the exception, and whether an import raised it."""
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
        return _exit_code(error), None, exceptions.is_caused_by(error, state.imports.failure)
    except BaseException as error:  # noqa: BLE001 (a script may raise anything)
        with contextlib.suppress(Exception):  # its stderr may be closed
            traceback.print_exception(
                type(error), error, exceptions.script_frames(error, job["script"])
            )
        return 1, exceptions.describe(error), exceptions.is_caused_by(error, state.imports.failure)
    return 0, None, False


def _run_script(job: dict[str, Any], state: RunnerState) -> None:
    with state.interrupts.shielded():
        process_state.reset_random_generators()
        if job["seed"] is not None:
            seed(job["seed"])
        if job["takes_precision"] and not has_accelerator():
            sys.argv += ["--precision", "full"]  # autocast fails on a CPU
    if job["preload"] and "torch" not in sys.modules:
        sys.argv[1:] = ["--help"]  # without torch only the imports can stay
    state.model_cache.stop_when_loaded, state.model_cache.script = (
        job["preload"],
        Path(job["script"]).name,
    )
    state.model_cache.trusted = job.get("trusted", True)
    state.model_cache.checkpoint = job.get("checkpoint")
    before = threading.enumerate()
    try:
        runpy.run_path(job["script"], run_name="__main__")
    finally:
        for thread in threading.enumerate():  # as the interpreter does before it ends
            if not thread.daemon and thread not in before:
                thread.join()


def seed(value: int) -> None:
    """Seed the random generators, for a script that has no option for a seed."""
    random.seed(value)
    with contextlib.suppress(ImportError):
        importlib.import_module("numpy").random.seed(value)
    with contextlib.suppress(ImportError):
        importlib.import_module("torch").manual_seed(value)


def has_accelerator() -> bool:
    """Whether torch can compute on something other than the CPU."""
    try:
        torch = importlib.import_module("torch")
    except Exception:  # noqa: BLE001 (a broken torch: the script reports it)
        return False
    mps = getattr(torch.backends, "mps", None)
    return bool(torch.cuda.is_available() or (mps and mps.is_available()))


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    with contextlib.suppress(Exception):  # its stderr may be closed
        print(error.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
    return 1


if __name__ == "__main__":
    main(sys.argv[1:])
