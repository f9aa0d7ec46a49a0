"""The estimate of when to come again."""

import errno
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.errors import StorageUnavailableError
from sdrest.jobs.bus import Bus
from sdrest.jobs.context import RETRY_SECONDS, DurationEstimate, QueueContext
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import Job, Status
from sdrest.jobs.space import storage_error
from sdrest.jobs.store import Store
from tests.support.jobs import ScriptedExecutor, text_key

JOB = Job(
    key=text_key("a"),
    status=Status.COMPLETE,
    params={},
    total_images=1,
    images=1,
    seed=0,
    attempts=1,
    created_at=0,
)


def test_retry_after_follows_the_duration_of_jobs() -> None:
    duration = DurationEstimate()
    for _ in range(50):
        duration.observe(replace(JOB, started_at=100, finished_at=160))
    assert duration.retry_after(1) == 60
    assert duration.retry_after(4) == 15


async def test_a_job_waits_for_the_disk_no_longer_than_it_may(tmp_path: Path) -> None:
    async with Store(Folders(tmp_path)) as store:
        context = QueueContext(store, ScriptedExecutor(), Folders(tmp_path), Bus(), 1)
        tries = []

        async def write() -> None:
            tries.append(context.snapshot(replace(JOB, status=Status.IN_PROGRESS)).waiting)
            raise storage_error(OSError(errno.ENOSPC, "full"))

        with pytest.raises(StorageUnavailableError, match="full"):
            await context.retry_until_stored(write, JOB, seconds=RETRY_SECONDS)
        first, *others = tries
        assert first is None
        assert others
        assert all("full" in str(waiting) for waiting in others)
        assert context.waits == {}


@given(
    st.lists(st.tuples(st.floats(0, 2e9), st.one_of(st.none(), st.floats(0, 2e9)))),
    st.integers(1, 64),
)
def test_retry_after_is_always_1_to_600_seconds(
    times: list[tuple[float, float | None]], capacity: int
) -> None:
    duration = DurationEstimate()
    for started, finished in times:
        duration.observe(replace(JOB, started_at=started, finished_at=finished))
    assert 1 <= duration.retry_after(capacity) <= 600
