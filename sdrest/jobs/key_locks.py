"""A lock for each job, made when it is needed."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sdrest.jobs.model import JobKey


class KeyLocks:
    """Lets one task at a time change a job's files, without holding up other jobs."""

    def __init__(self) -> None:
        self._locks: dict[JobKey, asyncio.Lock] = {}
        self._users: Counter[JobKey] = Counter()

    def is_held(self, key: JobKey) -> bool:
        """Whether a task holds the lock of `key`, or waits for it."""
        return key in self._locks

    @asynccontextmanager
    async def hold(self, key: JobKey) -> AsyncGenerator[None, None]:
        """Hold the lock of `key`."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]
