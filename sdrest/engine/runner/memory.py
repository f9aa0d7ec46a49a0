"""Returns freed memory to the system."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
from collections.abc import Callable


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
