"""What is remembered of answers is what would be made anew."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status
from sdrest.params import JobType
from sdrest.web.conditional import body_etag
from sdrest.web.recent import Answers, Recent, RecentBytes
from sdrest.web.render import job_body

JOBS = [
    Job(
        key=JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}"),
        status=Status.QUEUED,
        params={"prompt": "x", "seed": None},
        total_images=3,
        images=0,
        seed=number,
        attempts=0,
        created_at=0.0,
    )
    for number in range(3)
]

POSITIONS = st.builds(Position, st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0]))

STEPS = st.lists(
    st.tuples(
        st.integers(0, len(JOBS) - 1),
        st.booleans(),  # whether the row changes before it is shown
        st.sampled_from(Status),
        st.integers(0, 3),
        st.none() | POSITIONS,
        st.none() | st.integers(1, 3),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_remembered_answer_is_the_fresh_one(
    steps: list[tuple[int, bool, Status, int, Position | None, int | None]],
) -> None:
    answers, rows = Answers(), list(JOBS)
    for index, changes, status, images, position, rank in steps:
        if changes:
            rows[index] = replace(rows[index], status=status, images=images)
        snapshot = Snapshot(rows[index], position, rank)
        fresh = job_body(snapshot)
        assert answers.of(snapshot) == (fresh, body_etag(fresh))


def test_an_answer_is_made_once() -> None:
    answers = Answers()
    snapshot = Snapshot(JOBS[0])
    body, _ = answers.of(snapshot)
    assert answers.of(Snapshot(JOBS[0]))[0] is body


def test_the_entry_that_was_not_used_for_longest_goes_first() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=12)), max_size=40))
def test_bytes_are_kept_up_to_a_total(puts: list[tuple[int, bytes]]) -> None:
    recent: RecentBytes[int] = RecentBytes(16)
    last: dict[int, bytes] = {}
    for key, value in puts:
        recent.put(key, value)
        last[key] = value
        kept = {name: found for name in last if (found := recent.get(name)) is not None}
        assert sum(map(len, kept.values())) <= 16
        assert kept[key] == value
        assert all(last[name] == found for name, found in kept.items())


def test_bytes_that_are_more_than_all_may_be_are_not_kept() -> None:
    recent: RecentBytes[str] = RecentBytes(4)
    recent.put("a", b"12345")
    assert recent.get("a") is None
