"""Interrupts the current job, but not while it imports a module.

The server requests it with a line in the jobs pipe, which a thread reads. SIGINT to the main thread
then raises KeyboardInterrupt in the script, as in a terminal. An interrupted import makes the
process unusable: importlib drops the module, but what its native code registered stays. So the
interrupt waits until no frame of importlib is on the stack of the main thread.
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
"""Seconds to wait for code that may hold a lock."""

_INTERVAL = 0.005
_LOCKING_FILES = ("/tqdm/", "/logging/", "/threading.py")
"""Parts of the paths of files whose functions, when interrupted, may leave a lock taken."""

_IMPORTLIB_FILES = "<frozen importlib"
"""Prefix of the names of importlib's files."""


class Interrupts:
    """Knows which job runs in the main thread, and when it may be interrupted.

    Code of files whose paths begin with one of `own` is never interrupted, except that of the files
    `interruptible`.
    """

    def __init__(self, own: Sequence[str] = (), *, interruptible: Sequence[str] = ()) -> None:
        self._own = (__file__, *own)
        self._interruptible = interruptible
        self._lock = threading.Lock()  # never taken by the handler of the signal
        self._job = ""
        self._requested = ""
        self._shield_depth = 0
        self._delivered = False
        self._delivery: Any = None
        self._previous_handler: Any = signal.SIG_DFL

    def request(self, job: str) -> None:
        """Interrupt `job` as soon as possible; returns at once."""
        with self._lock:
            self._requested = job
            if job != self._job or self._delivery:
                return  # not started, ended, or being interrupted
            self._delivery = threading.Thread(target=self._deliver, args=(job,), daemon=True)
            self._delivery.start()

    def arm(self, job: str) -> None:
        """Allow interrupts of `job`. Raises KeyboardInterrupt if one was already requested."""
        self._previous_handler = signal.signal(signal.SIGINT, self._handle)
        with self._lock:
            self._job, self._delivered = job, False
            requested = self._requested == job
        if requested:
            self._requested = ""
            raise KeyboardInterrupt

    def disarm(self) -> None:
        """Allow no more interrupts; a pending one is dropped."""
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
        """Delay interrupts until the outermost such block of the main thread ends."""
        self._shield_depth += 1
        try:
            yield
        finally:
            self._shield_depth -= 1

    def _deliver(self, job: str) -> None:
        """Send the signal when it does no harm, and again if the handler postponed it."""
        deadline = time.monotonic() + _MAX_DELAY
        while self._is_requested(job):
            frame = sys._current_frames().get(_main_thread())  # noqa: SLF001 (no public name)
            if frame is None or self._is_protected(frame):
                deadline = time.monotonic() + _MAX_DELAY
            elif not _may_take_a_lock(frame) or time.monotonic() > deadline:
                # Repeatedly: a signal just before a system call does not interrupt the call.
                signal.pthread_kill(_main_thread(), signal.SIGINT)
                if signal.getsignal(signal.SIGINT) != self._handle:
                    return  # the script has a handler of its own
            del frame  # it refers to the script's variables
            time.sleep(_INTERVAL)

    def _is_requested(self, job: str) -> bool:
        return self._requested == job == self._job

    def _handle(self, _number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, or postpone it if an import has begun since the signal.

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
        file = frame.f_code.co_filename
        own = file.startswith(self._own) and file not in self._interruptible
        return own or self._shield_depth > 0 or _is_importing(frame)


def ignore(*_: object) -> None:
    """Do nothing: the handler between jobs (children would inherit SIG_IGN)."""


def _is_importing(frame: FrameType) -> bool:
    """Whether this frame or a caller of it imports a module."""
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
