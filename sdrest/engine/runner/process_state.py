"""Restores the state of the process after a script.

Imported libraries stay, since they are why a runner is kept. Everything else that a script changed
is restored, so that the next script finds the process as the first one did.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import gc
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

_TORCH_SEED = 67280421310721
"""`default_rng_seed_val` of torch: the seed of a fresh process."""

_TORCH_FLAGS = (
    ("get_default_dtype", "set_default_dtype"),
    ("get_num_threads", "set_num_threads"),
    ("is_grad_enabled", "set_grad_enabled"),
    ("are_deterministic_algorithms_enabled", "use_deterministic_algorithms"),
    ("get_float32_matmul_precision", "set_float32_matmul_precision"),
)
_CUDNN_FLAGS = ("benchmark", "deterministic")
_HOOKS = ("stdin", "stdout", "stderr", "excepthook", "displayhook", "unraisablehook")
_MONITOR_THREAD = "TMonitor"
"""The class of tqdm's thread, which outlives jobs."""


class ProcessState:
    """The state of the process before a script. Create it before a script, `restore` it after."""

    def __init__(self, imports: ImportHooks, folder: str) -> None:
        self._imports = imports
        self._folder = Path(folder)
        self._exit_handlers: list[Callable[[], Any]] = []
        self._modules = set(sys.modules)
        self._threads = set(threading.enumerate())
        self._streams = [_stream(number) for number in range(3)]
        self._restores = [
            _sys_attributes(),
            _dictionary(vars(builtins)),
            _list(warnings.filters),
            _attribute(warnings, "showwarning"),
            _attribute(logging.root.manager, "disable"),
            *map(_logger, (logging.root, *_loggers())),
            *filter(None, map(_signal, signal.valid_signals())),
            _limit(sys.getrecursionlimit, sys.setrecursionlimit),
            _limit(_umask, os.umask),
            _garbage_collection(),
            self._environment(dict(os.environ)),
            *_numpy(),
        ]
        imports.when_imported("torch", self._record_torch)

    @contextlib.contextmanager
    def exit_handlers(self) -> Iterator[None]:
        """Run what the script itself registers with atexit at the end of the block."""
        register = atexit.register

        def note(function: Callable[..., Any], *args: Any, **options: Any) -> Callable[..., Any]:
            caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001 (no public name)
            if self._imports.executing or self._folder not in Path(caller).parents:
                return register(function, *args, **options)
            self._exit_handlers.append(lambda: function(*args, **options))
            return function

        atexit.register = note  # type: ignore[assignment]  # for as long as the script runs
        try:
            yield
        finally:
            atexit.register = register
            while self._exit_handlers:
                self._exit_handlers.pop()()

    def restore(self) -> bool:
        """Restore the state; return whether everything could be restored."""
        self._imports.cancel("torch", self._record_torch)
        for restore in reversed(self._restores):
            restore()
        for name in set(sys.modules) - self._modules:
            if _lies_in(sys.modules[name], self._folder):
                del sys.modules[name]
        _discard_bars()
        remaining = set(threading.enumerate()) - self._threads
        busy = [thread for thread in remaining if type(thread).__name__ != _MONITOR_THREAD]
        same_streams = self._streams == [_stream(number) for number in range(3)]
        return not busy and same_streams and not getattr(sys.stderr, "closed", True)

    def _record_torch(self, torch: Any) -> None:
        self._restores += _torch(torch)

    def _environment(self, before: Mapping[str, str]) -> Callable[[], None]:
        def restore() -> None:
            wanted = {**before, **self._imports.environment}
            if os.environ != wanted:
                os.environ.clear()
                os.environ.update(wanted)

        return restore


def reset_random_generators() -> None:
    """Seed the random generators as in a fresh process."""
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(_TORCH_SEED)


def reap_children() -> None:
    """Reap children that have ended; the server kills those of earlier jobs."""
    with contextlib.suppress(ChildProcessError):  # there are none
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _sys_attributes() -> Callable[[], None]:
    before = {name: getattr(sys, name) for name in _HOOKS}
    return lambda: vars(sys).update(before)


def _dictionary(target: dict[str, Any]) -> Callable[[], None]:
    before = dict(target)

    def restore() -> None:
        for name in set(target) - set(before):
            del target[name]
        target.update(before)

    return restore


def _list(target: Any) -> Callable[[], None]:
    before = list(target)

    def restore() -> None:
        target[:] = before

    return restore


def _attribute(owner: Any, name: str) -> Callable[[], None]:
    before = getattr(owner, name)
    return lambda: setattr(owner, name, before)


def _logger(logger: logging.Logger) -> Callable[[], None]:
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate

    def restore() -> None:
        logger.handlers[:] = handlers
        if logger.level != level:
            logger.setLevel(level)
        logger.propagate = propagate

    return restore


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logger for logger in known if isinstance(logger, logging.Logger)]


def _signal(number: int) -> Callable[[], None] | None:
    before = signal.getsignal(number)
    if before is None or number == signal.SIGINT:  # the runner handles it itself
        return None

    def restore() -> None:
        if signal.getsignal(number) is not before:
            signal.signal(number, before)

    return restore


def _limit(read: Callable[[], Any], write: Callable[[Any], Any]) -> Callable[[], None]:
    before = read()

    def restore() -> None:
        if read() != before:
            write(before)

    return restore


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _garbage_collection() -> Callable[[], None]:
    enabled, thresholds = gc.isenabled(), gc.get_threshold()

    def restore() -> None:
        (gc.enable if enabled else gc.disable)()
        gc.set_threshold(*thresholds)

    return restore


def _numpy() -> Iterator[Callable[[], None]]:
    numpy = sys.modules.get("numpy")
    if numpy:
        yield _limit(numpy.geterr, lambda flags: numpy.seterr(**flags))


def _torch(torch: Any) -> Iterator[Callable[[], None]]:
    for read, write in _TORCH_FLAGS:
        if hasattr(torch, read) and hasattr(torch, write):
            yield _limit(getattr(torch, read), getattr(torch, write))
    cudnn = getattr(getattr(torch, "backends", None), "cudnn", None)
    for name in _CUDNN_FLAGS:
        if hasattr(cudnn, name):
            yield _attribute(cudnn, name)


def _lies_in(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and folder in Path(file).parents


def _discard_bars() -> None:
    """Discard bars that an exception left open: the next job's would be drawn below them.

    Release the locks that an interrupt left taken, for which tqdm's thread would wait for ever.
    """
    tqdm: Any = getattr(sys.modules.get("tqdm"), "tqdm", None)
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.disable = True
    if hasattr(tqdm, "_instances"):
        tqdm._instances.clear()  # noqa: SLF001 (no public name)
    for lock in getattr(getattr(tqdm, "_lock", None), "locks", ()):
        with contextlib.suppress(RuntimeError, AssertionError):  # this thread does not hold it
            while True:
                lock.release()


def _stream(number: int) -> tuple[int, int] | None:
    """Return the device and inode of a descriptor's file; None if it is closed."""
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino
