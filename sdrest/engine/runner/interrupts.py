"""Interrupting the job of a host, and no other, and not while it imports.

The server asks for it by a line in the pipe of jobs, which a thread reads. SIGINT to the main
thread then raises KeyboardInterrupt in the script, as in a terminal. An import that is cut short
ruins the process for good: importlib drops the module, and what its native code has registered
stays. So the interrupt waits until the outermost import has returned, which is when no frame of
importlib is on the stack of the main thread.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

_MAX_DELAY = 0.5
_INTERVAL = 0.005
_LOCKING_FILES = ("/tqdm/", "/logging/", "/threading.py")
"""Parts of the names of files whose functions would leave a lock taken if they were cut short."""

_IMPORTLIB_FILES = "<frozen importlib"
"""How the names of importlib's files begin."""


class Interrupts:
    """Which job runs in the main thread, and whether it may be interrupted.

    Code of files whose names begin with one of `own` is never interrupted.
    """

    def __init__(self, own: Sequence[str] = ()) -> None:
        self._own = (__file__, *own)
        self._lock = threading.Lock()  # never taken by the handler of the signal
        self._job = ""
        self._requested = ""
        self._shield_depth = 0
        self._delivered = False
        self._delivery: Any = None
        self._previous_handler: Any = signal.SIG_DFL

    def request(self, job: str) -> None:
        """Interrupt `job` as soon as it can be done; returns at once."""
        with self._lock:
            self._requested = job
            if job != self._job or self._delivery:
                return  # it has not begun, has ended, or is being interrupted
            self._delivery = threading.Thread(target=self._deliver, args=(job,), daemon=True)
            self._delivery.start()

    def arm(self, job: str) -> None:
        """Let `job` be interrupted from here on. Raises KeyboardInterrupt if it is wanted."""
        self._previous_handler = signal.signal(signal.SIGINT, self._handle)
        with self._lock:
            self._job, self._delivered = job, False
            requested = self._requested == job
        if requested:
            self._requested = ""
            raise KeyboardInterrupt

    def disarm(self) -> None:
        """Let nothing be interrupted any more; an interrupt on its way is lost."""
        while True:
            try:
                signal.signal(signal.SIGINT, ignore)
                with self._lock:
                    self._job = ""
                    delivery, self._delivery = self._delivery, None
                if delivery:
                    delivery.join()
                signal.signal(signal.SIGINT, self._previous_handler)
            except KeyboardInterrupt:
                continue
            return

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Hold interrupts back until the outermost such block of the main thread is left."""
        self._shield_depth += 1
        try:
            yield
        finally:
            self._shield_depth -= 1

    def _deliver(self, job: str) -> None:
        """Send the signal when it does no harm, again where the handler has put it off."""
        deadline = time.monotonic() + _MAX_DELAY
        while self._is_requested(job):
            frame = sys._current_frames().get(_main_thread())  # noqa: SLF001 (no public name)
            if frame is None or self._is_protected(frame):
                deadline = time.monotonic() + _MAX_DELAY
            elif not _may_take_a_lock(frame) or time.monotonic() > deadline:
                # Again and again: one that comes just before a system call does not end the call.
                signal.pthread_kill(_main_thread(), signal.SIGINT)
                if signal.getsignal(signal.SIGINT) != self._handle:
                    return  # the script has a handler of its own
            del frame  # it keeps the script's variables
            time.sleep(_INTERVAL)

    def _is_requested(self, job: str) -> bool:
        return self._requested == job == self._job

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, or put it off: an import may have begun since the signal.

        Python calls this in the main thread, with the frame that it interrupts there.
        """
        if self._is_requested(self._job):
            if frame is not None and self._is_protected(frame):
                return
            self._requested, self._delivered = "", True
        elif self._delivered:  # sent before the last one was handled
            return
        raise KeyboardInterrupt

    def _is_protected(self, frame: FrameType) -> bool:
        own = frame.f_code.co_filename.startswith(self._own)
        return own or self._shield_depth > 0 or _is_importing(frame)


def ignore(*_: object) -> None:
    """Do nothing: the handler between jobs (SIG_IGN would be inherited by children)."""


def _is_importing(frame: FrameType) -> bool:
    """Whether a module is being imported at this place of a stack, or below it."""
    above: FrameType | None = frame
    while above is not None:
        if above.f_code.co_filename.startswith(_IMPORTLIB_FILES):
            return True
        above = above.f_back
    return False


def _may_take_a_lock(frame: FrameType) -> bool:
    return any(part in frame.f_code.co_filename for part in _LOCKING_FILES)


def _main_thread() -> int:
    identity = threading.main_thread().ident
    return 0 if identity is None else identity
