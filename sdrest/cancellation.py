"""Work that is done to its end although its caller is cancelled."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def until_done(task: "asyncio.Task[T]") -> T:
    """Wait for a task to its end and return its result; a cancellation is raised only then."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return await task
