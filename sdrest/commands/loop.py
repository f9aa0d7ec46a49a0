"""The event loop: uvloop where it is installed, which takes less time for each request."""

import asyncio
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the loop; None stands for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 (it is not to be had on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop
