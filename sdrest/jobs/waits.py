"""Requests that are held until a job has changed, and timeouts that move."""

import asyncio
from collections.abc import Awaitable, Callable

from sdrest.jobs.bus import Bus, JobEvent
from sdrest.jobs.model import JobKey, Snapshot


class Waits:
    """Waits for changes on a bus; `end` makes every wait return."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: set[asyncio.Event] = set()
        self.ended = False

    def end(self) -> None:
        """Let every wait return now, and those to come at once."""
        self.ended = True
        for changed in self._waiting:
            changed.set()

    async def wait(
        self,
        key: JobKey,
        get: Callable[[JobKey], Awaitable[Snapshot]],
        until: Callable[[Snapshot], bool],
        seconds: float | None,
    ) -> Snapshot:
        """Return what `get` returns once `until` is true of it, or after `seconds`."""
        changed = asyncio.Event()

        def note(event: JobEvent) -> None:
            if event.snapshot.job.key == key and not event.deleting:
                changed.set()

        self._waiting.add(changed)
        unsubscribe = self._bus.subscribe(note)
        try:
            snapshot = await get(key)
            try:
                async with asyncio.timeout(seconds):
                    while not (until(snapshot) or self.ended):
                        await changed.wait()
                        changed.clear()
                        snapshot = await get(key)
            except TimeoutError:
                pass
            return snapshot
        finally:
            unsubscribe()
            self._waiting.discard(changed)


def reschedule(timeout: asyncio.Timeout, seconds: float) -> None:
    """Let a timeout expire in `seconds`, or never if they are 0."""
    if not timeout.expired():
        timeout.reschedule(asyncio.get_running_loop().time() + seconds if seconds else None)
