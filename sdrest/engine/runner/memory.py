"""Memory and the system: returns what is free, and gives way where there is too little."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
from collections.abc import Callable
from pathlib import Path

_OOM_SCORE_ADJ = Path("/proc/self/oom_score_adj")
_MAX_OOM_SCORE_ADJ = 1000
_MORE_OOM_SCORE = 500
"""In thousandths of the machine's (or cgroup's) memory: as if this process held so much more."""


def raise_oom_score() -> None:
    """Have the kernel's OOM killer choose this process, or its children, before the server.

    Linux only (`man 5 proc_pid_oom_score_adj`): any process may raise its own score. macOS has no
    such setting.
    """
    with contextlib.suppress(OSError, ValueError):
        own = int(_OOM_SCORE_ADJ.read_text("ascii"))
        raised = min(own + _MORE_OOM_SCORE, _MAX_OOM_SCORE_ADJ)
        _OOM_SCORE_ADJ.write_text(str(raised), "ascii")


def release() -> None:
    """Free what is no longer referred to, and return it to the system where that is possible."""
    gc.collect()
    _return_to_system()()


@functools.lru_cache(maxsize=1)
def _return_to_system() -> Callable[[], object]:
    """Return the function of glibc or macOS that does it; one that does nothing elsewhere."""
    with contextlib.suppress(OSError, TypeError):
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):
            return functools.partial(library.malloc_trim, ctypes.c_size_t(0))
        if hasattr(library, "malloc_zone_pressure_relief"):
            return functools.partial(
                library.malloc_zone_pressure_relief, ctypes.c_void_p(None), ctypes.c_size_t(0)
            )
    return lambda: None
