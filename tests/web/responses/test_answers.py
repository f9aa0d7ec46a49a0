"""What `render.py` writes has the shape that the models declare, and no other field."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from sdrest.engine.base import Progress
from sdrest.errors import ErrorCode, Failure, FailureCode, FieldError, InvalidRequestError
from sdrest.job_types import JobType
from sdrest.jobs.model import Job, JobKey, Snapshot, Status, Waiting
from sdrest.web.responses import answers, error_answers
from sdrest.web.responses.render import error_body, job_body, job_entry

JOB = Job(
    key=JobKey(JobType.TEXT_TO_IMAGE, "63dbe45efdadadd3006feb71aa3e48b7"),
    status=Status.QUEUED,
    params={"prompt": "x", "seed": None, "model": "one"},
    total_images=3,
    images=2,
    seed=42,
    attempts=1,
    created_at=1_760_000_000.0,
    started_at=1_760_000_000.5,
    finished_at=1_760_000_012.5,
    flagged=(2,),
    failure=Failure(FailureCode.KILLED, "It was killed.", {"signal": "SIGTERM", "stderr": "x"}),
)


def read(model: Any, value: dict[str, Any]) -> Any:
    """Return the fields of a JSON value that a model has."""
    return TypeAdapter(model).validate_json(json.dumps(value))


@pytest.mark.parametrize("status", Status)
def test_a_job_has_the_fields_of_its_model(status: Status) -> None:
    place = 1 if status is Status.QUEUED else None
    waiting = None if status.final else Waiting(ErrorCode.STORAGE_UNAVAILABLE, "The disk is full.")
    snapshot = Snapshot(
        replace(JOB, status=status),
        Progress(2, 0.25),
        place,
        waiting=waiting,
        preview=3 if status is Status.IN_PROGRESS else None,
    )
    shown = json.loads(job_body(snapshot))
    assert read(answers.Job, shown) == shown
    assert "seed" in shown
    listed = job_entry(snapshot)
    assert read(answers.Job, listed) | read(answers.Entry, listed) == listed
    event = job_entry(snapshot, params=False)
    assert read(answers.Job, event) | read(answers.EventData, event) == event


def test_an_error_has_the_fields_of_its_model() -> None:
    wrong = InvalidRequestError([FieldError("prompt", "Is required.")])
    shown = json.loads(error_body(ErrorCode.INVALID_REQUEST, wrong.message, wrong.details))
    assert read(error_answers.Error, shown) == shown


def test_every_status_has_a_model() -> None:
    assert set(answers.Counts.__annotations__) == {*Status}
