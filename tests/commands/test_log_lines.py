import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdrest.commands.job_lines import JobLines
from sdrest.commands.log_lines import CLEAR_VIEWPORT, Level, LogLine, serving
from sdrest.engine.base import Progress
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from tests.support.paths import DATA

LOGS = {
    case["case"]: case["rawText"].replace("\r\n", "\n")
    for case in json.loads((DATA / "contract/logs.json").read_text("utf-8"))
}
ANSI = re.compile(r"\x1b\[\d+m")
JOB_LINE = re.compile(r"(?:info|success) /(\S+) +(\w{32}) (.*)")
KEY = JobKey(JobType.TEXT_TO_IMAGE, "0" * 32)
STEP = re.compile(r"(\d+)/(\d+) +(\d+)% ")


def event(
    change: Change,
    status: Status = Status.IN_PROGRESS,
    *,
    key: JobKey = KEY,
    total: int = 2,
    images: int = 0,
    progress: Progress | None = None,
    failure: Failure | None = None,
) -> JobEvent:
    job = Job(
        key=key,
        status=status,
        params={},
        total_images=total,
        images=images,
        seed=42,
        attempts=1,
        created_at=0.0,
        failure=failure,
    )
    return JobEvent(change, Snapshot(job, progress))


def rebuilt(line: str) -> JobEvent:
    """Return the event that a line of the original is about."""
    found = JOB_LINE.fullmatch(line)
    assert found, line
    key = JobKey(JobType(found[1]), found[2])
    if step := STEP.match(found[3]):
        progress = Progress(int(step[1]), int(step[3]) / 100)
        return event(Change.PROGRESS, key=key, total=int(step[2]), progress=progress)
    match found[3]:
        case "Queued...":
            return event(Change.QUEUED, Status.QUEUED, key=key)
        case "Starting...":
            return event(Change.STARTED, key=key)
        case "Done":
            return event(Change.FINISHED, Status.COMPLETE, key=key)
    raise AssertionError(line)


def shown(lines: JobLines, change: JobEvent, *, colours: bool = False) -> list[str]:
    return [line.render(colours=colours) for line in lines.of(change)]


@pytest.mark.parametrize("case", LOGS)
def test_lines_are_the_recorded_ones(case: str) -> None:
    colours = case == "tty"
    recorded = LOGS[case].removeprefix(CLEAR_VIEWPORT)
    first, *rest = recorded.splitlines(keepends=True)
    url = ANSI.sub("", first).split()[-1]
    assert serving(url).render(colours=colours) == first
    lines = JobLines()
    for line in rest:
        assert shown(lines, rebuilt(ANSI.sub("", line).rstrip("\n")), colours=colours) == [line]


def test_a_failed_job_says_why_in_one_line() -> None:
    failure = Failure(FailureCode.SCRIPT_FAILED, "txt2img.py\nended \x1b[2J badly.")
    assert shown(JobLines(), event(Change.FINISHED, Status.FAILED, failure=failure)) == [
        f"error /text-to-image  {KEY.id} txt2img.py ended  [2J badly.\n"
    ]


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        (Change.REQUEUED, Status.QUEUED, "Interrupted, queued again..."),
        (Change.FINISHED, Status.CANCELLED, "Cancelled"),
    ],
)
def test_other_ends(change: Change, status: Status, text: str) -> None:
    assert shown(JobLines(), event(change, status)) == [f"info /text-to-image  {KEY.id} {text}\n"]


def test_progress_without_a_position_is_no_line() -> None:
    assert shown(JobLines(), event(Change.PROGRESS)) == []


def test_images_go_from_0_to_100_though_their_steps_were_missed() -> None:
    lines = JobLines()
    texts = [
        *shown(lines, event(Change.IMAGE, images=1)),
        *shown(lines, event(Change.PROGRESS, progress=Progress(2, 0.5))),
        *shown(lines, event(Change.IMAGE, images=2)),
    ]
    assert [line.partition(f"{KEY.id} ")[2].rstrip("\n") for line in texts] == [
        "1/2   0% ",
        "1/2 100% ██████████",
        "2/2   0% ",
        "2/2  50% █████",
        "2/2 100% ██████████",
    ]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_no_step_is_logged_twice(fractions: list[float]) -> None:
    lines = JobLines()
    texts = [
        line
        for fraction in fractions
        for line in shown(lines, event(Change.PROGRESS, progress=Progress(1, fraction)))
    ]
    assert texts[0].endswith(" 1/2   0% \n")
    assert all(a != b for a, b in pairwise(texts))
    assert not [line for line in texts if "100%" in line] or max(fractions) > 1 - 1e-9


def test_a_job_that_runs_again_logs_its_steps_again() -> None:
    lines = JobLines()
    step = event(Change.PROGRESS, progress=Progress(1, 0.5))
    first = shown(lines, step)
    assert shown(lines, step) == []
    shown(lines, event(Change.REQUEUED, Status.QUEUED))
    assert shown(lines, step) == first


@given(st.text())
def test_foreign_text_stays_within_its_line(text: str) -> None:
    rendered = LogLine.of(Level.ERROR, text).render(colours=True)
    assert rendered.count("\n") == 1
    assert ANSI.sub("", rendered)[:-1].isprintable()
