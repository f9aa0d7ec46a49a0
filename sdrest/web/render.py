"""Jobs and errors as JSON, in the original's shape and order of keys. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from sdrest.errors import ErrorCode, FailureCode
from sdrest.jobs.model import Job, Position, Snapshot, Status

JSON = "application/json; charset=utf-8"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_START = Position(index=1, fraction=0.0)


def job_body(snapshot: Snapshot) -> bytes:
    """Return what a client sees of a job.

    QUEUED has `resultUrl` and `status`; IN_PROGRESS has `imageUrls` and `progress` besides;
    COMPLETE, FAILED and CANCELLED have `imageUrls`, FAILED its `error`. `seed` is there where the
    request asked for a random one.
    """
    job = snapshot.job
    answer: dict[str, Any] = {}
    if job.status is Status.FAILED and job.failure is not None:
        failure = job.failure
        answer["error"] = _error(failure.code, failure.message, failure.details)
    if job.status is not Status.QUEUED:
        answer["imageUrls"] = [job.key.image_url(n) for n in range(1, job.images + 1)]
    if job.status is Status.IN_PROGRESS:
        answer["progress"] = _progress(job, snapshot.position or _START)
    answer["resultUrl"] = job.key.url
    if "seed" in job.params and job.params["seed"] is None:
        answer["seed"] = job.seed
    answer["status"] = job.status
    return _dump(answer)


def error_body(code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """Return the one shape of every error."""
    return _dump({"error": _error(code, message, details or {})})


def json_body(value: Any) -> bytes:
    """Return any other answer as compact JSON."""
    return _dump(value)


def _progress(job: Job, position: Position) -> dict[str, float]:
    fraction = position.fraction
    return {
        "currentImageIndex": position.index,
        "currentImageProgress": int(fraction) if fraction.is_integer() else fraction,
        "totalImages": job.total_images,
    }


def _error(
    code: ErrorCode | FailureCode, message: str, details: Mapping[str, Any]
) -> dict[str, Any]:
    return {"code": code, "message": message, "details": dict(details)}


def _dump(value: Any) -> bytes:
    return _encode(value).encode(errors="replace")
