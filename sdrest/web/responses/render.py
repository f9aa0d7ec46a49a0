"""Jobs and errors as JSON, in the original's shape and order of keys. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sdrest.engine.base import Progress
from sdrest.errors import ErrorCode, FailureCode
from sdrest.jobs.model import Job, Snapshot, Status
from sdrest.web.responses import answers

JSON = "application/json; charset=utf-8"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_START = Progress(index=1, fraction=0.0)


def job_body(snapshot: Snapshot, prefix: str = "") -> bytes:
    """Return what a client sees of a job; each path begins with `prefix`.

    QUEUED has `position` (1: next), `resultUrl` and `status`; IN_PROGRESS has `imageUrls` and
    `progress` instead of the position; COMPLETE, FAILED and CANCELLED have `imageUrls`, FAILED
    its `error`. `attention` is there once it is known how the script computes that, `flagged` where
    the safety checker replaced images, `preview` while a running job has one, `model` where the
    request names one, `seed` where it asked for a random one, `waiting` while the server cannot
    write or no machine can run the job.
    """
    return _dump(_job(snapshot, prefix))


def job_entry(snapshot: Snapshot, *, params: bool = True, prefix: str = "") -> dict[str, Any]:
    """Return all that is known of a job, for lists and event streams; `params` may be left out.

    Each path begins with `prefix`.
    """
    job = snapshot.job
    more: dict[str, Any] = {
        "createdAt": _time(job.created_at),
        "favourites": list(job.favourites),
        "finishedAt": _time(job.finished_at),
        "id": job.key.id,
        "seed": job.seed,
        "startedAt": None if job.status is Status.QUEUED else _time(job.started_at),
        "type": job.key.type,
    }
    if job.image_size is not None:
        more["imageSize"] = dict(zip(("width", "height"), job.image_size, strict=True))
    if params:
        more["params"] = dict(job.params)
    return dict(sorted((_job(snapshot, prefix) | more).items()))


def _job(snapshot: Snapshot, prefix: str) -> dict[str, Any]:
    job = snapshot.job
    answer = {} if job.status is Status.QUEUED else _result(snapshot, prefix)
    if job.params.get("model"):
        answer["model"] = job.params["model"]
    if snapshot.queue_position is not None:
        answer["position"] = snapshot.queue_position
    if snapshot.preview is not None:
        answer["preview"] = f"{prefix}{job.key.url}/preview?number={snapshot.preview}"
    if job.status is Status.IN_PROGRESS:
        answer["progress"] = _progress(job, snapshot.progress or _START)
    answer["resultUrl"] = prefix + job.key.url
    if "seed" in job.params and job.params["seed"] is None:
        answer["seed"] = job.seed
    answer["status"] = job.status
    if snapshot.waiting is not None:
        answer["waiting"] = snapshot.waiting._asdict()
    return answer


def _result(snapshot: Snapshot, prefix: str) -> dict[str, Any]:
    """Return what a job that has started came to: its images, and why it failed."""
    job = snapshot.job
    answer: dict[str, Any] = {}
    if job.attention:
        answer["attention"] = job.attention
    if job.status is Status.FAILED and job.failure is not None:
        failure = job.failure
        answer["error"] = _error(failure.code, failure.message, failure.details)
    if job.flagged:
        answer["flagged"] = list(job.flagged)
    shown = (n for n in range(1, job.images + 1) if n not in snapshot.missing)
    answer["imageUrls"] = [prefix + job.key.image_url(n) for n in shown]
    return answer


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else iso_time(seconds)


def iso_time(seconds: float) -> str:
    """Return a time in ISO 8601, in UTC and to the millisecond."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def error_body(code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """Return the one shape of every error."""
    return _dump({"error": _error(code, message, details or {})})


def json_body(value: Any) -> bytes:
    """Return any other answer as compact JSON."""
    return _dump(value)


def _progress(job: Job, progress: Progress) -> answers.Progress:
    fraction = progress.fraction
    return {
        "currentImageIndex": progress.index,
        "currentImageProgress": int(fraction) if fraction.is_integer() else fraction,
        "totalImages": job.total_images,
    }


def _error(
    code: ErrorCode | FailureCode, message: str, details: Mapping[str, Any]
) -> dict[str, Any]:
    return {"code": code, "message": message, "details": dict(details)}


def _dump(value: Any) -> bytes:
    return _encode(value).encode(errors="replace")
