"""How often a job was lost with the machine that ran it: it runs again, but not for ever."""

import asyncio

from sdrest.jobs.model import JobKey

MAX_LOSSES = 12
"""Losses of a job after which it is FAILED: it may be what its machines die of."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0
"""Seconds until a job that was lost more than once runs again; each is twice the one before."""


class Losses:
    """Counts since the start of the server."""

    def __init__(self) -> None:
        self._counts: dict[JobKey, int] = {}

    async def may_run_again(self, key: JobKey) -> bool:
        """Count a loss, and return whether the job may run again, after a pause."""
        count = self._counts[key] = self._counts.get(key, 0) + 1
        if count >= MAX_LOSSES:
            return False
        if count > 1:
            await asyncio.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (count - 2)))
        return True

    def forget(self, key: JobKey) -> None:
        """Forget a job that has ended."""
        self._counts.pop(key, None)
