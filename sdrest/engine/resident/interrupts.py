"""Interrupting the job of a host, and no other, and not while it imports.

The server asks for it by a line in the pipe of jobs, which a thread reads; SIGINT to the main
thread then raises KeyboardInterrupt in the script, as in a terminal. An import that is cut short in
native code ruins the process for good, so there the interrupt waits until it is over.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

_PATIENCE = 0.5
_PAUSE = 0.002
_LOCKERS = ("/tqdm/", "/logging/", "/threading.py", "/resident/")
"""Parts of the names of files whose functions would leave a lock taken if they were cut short."""


class Interrupts:
    """Which job runs in the main thread, and whether it may be interrupted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job = ""
        self._wanted = ""
        self._shields = 0
        self._former: Any = signal.SIG_DFL

    def request(self, job: str) -> None:
        """Interrupt `job`, now or as soon as it can be done; called by another thread."""
        deadline = time.monotonic() + _PATIENCE
        while _may_take_a_lock() and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        with self._lock:
            self._wanted = job
            if job == self._job and not self._shields:
                self._wanted = ""
                signal.pthread_kill(_main_thread(), signal.SIGINT)

    def arm(self, job: str) -> None:
        """Let `job` be interrupted from here on. Raises KeyboardInterrupt if it is wanted."""
        self._former = signal.signal(signal.SIGINT, signal.default_int_handler)
        with self._lock:
            self._job = job
        self._raise_if_wanted()

    def disarm(self) -> None:
        """Let nothing be interrupted any more; an interrupt on its way is lost."""
        while True:
            try:
                signal.signal(signal.SIGINT, ignore)
                with self._lock:
                    self._job = ""
                signal.signal(signal.SIGINT, self._former)
            except KeyboardInterrupt:
                continue
            return

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Hold interrupts back until the outermost such block is left."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
        self._raise_if_wanted()

    def _raise_if_wanted(self) -> None:
        with self._lock:
            if not self._job or self._wanted != self._job or self._shields:
                return
            self._wanted = ""
        raise KeyboardInterrupt


def ignore(*_: object) -> None:
    """Do nothing: the handler between jobs (SIG_IGN would be inherited by children)."""


def _may_take_a_lock() -> bool:
    frame = sys._current_frames().get(_main_thread())  # noqa: SLF001 (no public name)
    return frame is not None and any(part in frame.f_code.co_filename for part in _LOCKERS)


def _main_thread() -> int:
    identity = threading.main_thread().ident
    return 0 if identity is None else identity
