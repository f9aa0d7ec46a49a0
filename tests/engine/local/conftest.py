"""An executor whose runners stay."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sdrest.engine.local import pool
from sdrest.engine.local.executor import LocalExecutor
from tests.fakes.running import PATIENCE, fake_repository
from tests.support.runner_jobs import FOR_EVER, Jobs


@pytest.fixture
async def executor() -> AsyncIterator[LocalExecutor]:
    executor = LocalExecutor(fake_repository(), config=FOR_EVER, grace=0.2)
    yield executor
    await executor.close()


@pytest.fixture
def jobs(executor: LocalExecutor, tmp_path: Path) -> Jobs:
    return Jobs(executor, tmp_path)


@pytest.fixture
def obedient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a script that obeys an interrupt the time that a busy machine needs for it."""
    monkeypatch.setattr(pool, "INTERRUPT_GRACE", PATIENCE)
