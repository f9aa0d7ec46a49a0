"""Events as the seconds that each phase of a job took."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sdrest.errors import Failure, FailureCode
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, Snapshot, Status
from sdrest.web.monitoring.phases import Lap, Phase, PhaseTimer
from tests.support.jobs import text_key

JOB = Job(
    key=text_key("a"),
    status=Status.IN_PROGRESS,
    params={"prompt": "a"},
    total_images=2,
    images=0,
    seed=42,
    attempts=1,
    created_at=1000.0,
    started_at=1003.0,
)
DONE = replace(JOB, status=Status.COMPLETE, finished_at=1013.0)

Step = tuple[float, Change]


def laps(steps: Sequence[Step], *, job: Job = JOB, **params: Any) -> list[Lap]:
    """Return the laps of a job to which something happens at times of a clock."""
    watch = PhaseTimer()
    found: list[Lap] = []
    job = replace(job, params={**job.params, **params})
    for now, change in steps:
        answered = replace(DONE, params=job.params) if change is Change.FINISHED else job
        found += watch.laps(JobEvent(change, Snapshot(answered)), now)
    assert watch._runs.keys() <= {job.key}
    return found


START = (10.0, Change.STARTED)
BAR = (14.0, Change.PROGRESS)
QUEUED = Lap(Phase.QUEUED, 3.0)
LOADING = Lap(Phase.LOADING, 4.0)
RUN = Lap(Phase.RUN, 10.0)


def test_a_job_passes_through_all_phases() -> None:
    steps = [
        (1.0, Change.QUEUED), START, BAR, (15.0, Change.PROGRESS), (16.0, Change.IMAGE),
        (17.0, Change.PROGRESS), (19.0, Change.IMAGE), (20.0, Change.FINISHED),
    ]  # fmt: skip
    sampling = [Lap(Phase.SAMPLING, 2.0), Lap(Phase.SAMPLING, 3.0)]
    assert laps(steps) == [QUEUED, LOADING, *sampling, RUN]


def test_images_of_a_batch_share_its_time() -> None:
    images = [(24.0, Change.IMAGE)] * 2 + [(30.0, Change.IMAGE)] * 2
    assert laps([START, BAR, *images], batchSize=2) == [
        QUEUED,
        LOADING,
        Lap(Phase.SAMPLING, 5.0, 2),
        Lap(Phase.SAMPLING, 3.0, 2),
    ]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_without_progress_bars_no_duration_is_invented(batch_size: int) -> None:
    batches = [(float(20 + 4 * batch), Change.IMAGE) for batch in range(2)]
    images = [image for image in batches for _ in range(batch_size)]
    late = (28.0, Change.PROGRESS)  # a position that follows from an image
    found = laps([START, *images, late], batchSize=batch_size)
    assert found == [QUEUED, Lap(Phase.SAMPLING, 4.0 / batch_size, batch_size)]


def test_a_phase_without_a_seen_start_is_omitted() -> None:
    assert laps([BAR, (16.0, Change.IMAGE)]) == []


def test_an_interrupted_run_is_forgotten() -> None:
    again = (30.0, Change.STARTED)
    bar = (31.0, Change.PROGRESS)
    assert laps([START, (12.0, Change.REQUEUED), BAR, again, bar]) == [
        QUEUED,
        QUEUED,
        Lap(Phase.LOADING, 1.0),
    ]


@pytest.mark.parametrize(
    "job", [replace(JOB, attempts=2), replace(JOB, images=1)], ids=["died", "stopped"]
)
def test_an_interrupted_run_does_not_count_as_queued(job: Job) -> None:
    assert laps([START, BAR], job=job) == [LOADING]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_only_complete_jobs_count_as_run_duration(status: Status) -> None:
    failure = Failure(FailureCode.KILLED, "Why.") if status is Status.FAILED else None
    ended = replace(DONE, status=status, failure=failure)
    assert list(PhaseTimer().laps(JobEvent(Change.FINISHED, Snapshot(ended)), 1.0)) == []


def test_a_clock_that_was_set_back_takes_no_time() -> None:
    early = replace(JOB, started_at=JOB.created_at - 60)
    assert laps([START], job=early) == [Lap(Phase.QUEUED, 0.0)]


def test_a_job_that_has_ended_leaves_nothing() -> None:
    watch = PhaseTimer()
    for change, job in ((Change.STARTED, JOB), (Change.FINISHED, DONE)):
        list(watch.laps(JobEvent(change, Snapshot(job)), 1.0))
    assert watch._runs == {}
