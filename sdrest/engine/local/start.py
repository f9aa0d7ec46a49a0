"""Build the executor of this machine for the flags of a server or a worker."""

import asyncio

from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.memory import max_models
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.repository import Repository
from sdrest.settings import Settings

_SCRIPT_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL for a cancelled script. Cancelling may take 1 in all."""


async def local_executor(
    settings: Settings, repository: Repository, *, owner: str
) -> LocalExecutor:
    """Return the executor; `owner` marks its processes."""
    config = PoolConfig(
        concurrency=settings.concurrency,
        keep_alive=settings.keep_alive,
        max_models=await asyncio.to_thread(max_models, settings, repository),
        max_memory=settings.max_host_memory * 2**20,
        owner=owner,
    )
    return LocalExecutor(
        repository, config=config, attention=settings.attention, grace=_SCRIPT_GRACE
    )
