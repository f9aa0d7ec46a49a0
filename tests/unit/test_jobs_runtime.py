"""The estimate of when to come again."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sdrest.jobs.model import Job, Status
from sdrest.jobs.runtime import Pace
from tests.support.jobs import text_key

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


def test_it_follows_how_long_jobs_take() -> None:
    pace = Pace()
    for _ in range(50):
        pace.observe(replace(JOB, started_at=100, finished_at=160))
    assert pace.retry_after(1) == 60
    assert pace.retry_after(4) == 15


@given(
    st.lists(st.tuples(st.floats(0, 2e9), st.one_of(st.none(), st.floats(0, 2e9)))),
    st.integers(1, 64),
)
def test_it_is_always_1_to_600_seconds(times: list[tuple[float, float | None]], slots: int) -> None:
    pace = Pace()
    for started, finished in times:
        pace.observe(replace(JOB, started_at=started, finished_at=finished))
    assert 1 <= pace.retry_after(slots) <= 600
