"""What a client sees of a job in each of its states, byte by byte."""

from dataclasses import replace

import pytest

from sdrest.engine.base import Progress
from sdrest.errors import ErrorCode, Failure, FailureCode, QueueFullError
from sdrest.job_types import JobType
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.web.responses.conditional import body_etag
from sdrest.web.responses.errors import STATUS, request_error_response
from sdrest.web.responses.render import error_body, job_body

ID = "63dbe45efdadad3006feb71aa3e48b7d"
URL = f"/text-to-image/{ID}"
JOB = Job(
    key=JobKey(JobType.TEXT_TO_IMAGE, ID),
    status=Status.QUEUED,
    params={"prompt": "x", "seed": 42},
    total_images=3,
    images=0,
    seed=42,
    attempts=0,
    created_at=0.0,
)
RUNNING = replace(JOB, status=Status.IN_PROGRESS, images=1)


def shown(job: Job, progress: Progress | None = None) -> str:
    return job_body(Snapshot(job, progress)).decode()


def test_queued() -> None:
    assert shown(JOB) == f'{{"resultUrl":"{URL}","status":"QUEUED"}}'


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (None, '"currentImageIndex":1,"currentImageProgress":0,'),
        (Progress(2, 0.0), '"currentImageIndex":2,"currentImageProgress":0,'),
        (Progress(2, 0.07), '"currentImageIndex":2,"currentImageProgress":0.07,'),
        (Progress(3, 1.0), '"currentImageIndex":3,"currentImageProgress":1,'),
    ],
)
def test_in_progress(progress: Progress | None, text: str) -> None:
    assert shown(RUNNING, progress) == (
        f'{{"imageUrls":["{URL}/1.png"],"progress":{{{text}"totalImages":3}},'
        f'"resultUrl":"{URL}","status":"IN_PROGRESS"}}'
    )


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.CANCELLED])
def test_ended(status: Status) -> None:
    assert shown(replace(JOB, status=status, images=2)) == (
        f'{{"imageUrls":["{URL}/1.png","{URL}/2.png"],"resultUrl":"{URL}","status":"{status}"}}'
    )


@pytest.mark.parametrize("status", [*Status])
def test_flagged_images(status: Status) -> None:
    answered = '"flagged":[1,2],' in shown(replace(JOB, status=status, images=3, flagged=(1, 2)))
    assert answered is (status is not Status.QUEUED)


def test_failed() -> None:
    failure = Failure(FailureCode.SCRIPT_FAILED, "It broke.", {"exitCode": 1})

    assert shown(replace(JOB, status=Status.FAILED, failure=failure)) == (
        '{"error":{"code":"script_failed","message":"It broke.","details":{"exitCode":1}},'
        f'"imageUrls":[],"resultUrl":"{URL}","status":"FAILED"}}'
    )


def test_a_random_seed_is_shown_from_the_start() -> None:
    random = replace(JOB, params={"prompt": "x", "seed": None}, seed=7)

    assert shown(random) == f'{{"resultUrl":"{URL}","seed":7,"status":"QUEUED"}}'


def test_a_job_of_the_originals_has_unknown_parameters() -> None:
    assert "seed" not in shown(replace(JOB, params={}, status=Status.COMPLETE, images=1))


def test_errors_have_one_shape() -> None:
    assert error_body(ErrorCode.NOT_FOUND, "Gone \u00e9 \ud800.", {"a": [1]}).decode() == (
        '{"error":{"code":"not_found","message":"Gone \u00e9 ?.","details":{"a":[1]}}}'
    )


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


def test_a_full_queue_says_when_to_come_back() -> None:
    response = request_error_response(QueueFullError(limit=5, retry_after=30))

    assert response.status == 429
    assert response.headers["Retry-After"] == "30"


def test_etag_and_last_modified_are_the_originals() -> None:
    body = f'{{"resultUrl":"{URL}","status":"QUEUED"}}'.encode()

    assert body_etag(body) == 'W/"51-sSz3EnFcm5nu9C1ybDb+EQybXqs"'
