"""Examples of requests and answers; the answers are written by what writes the real ones. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from sdrest.checkpoints.kinds import REASONS
from sdrest.engine.base import Progress
from sdrest.errors import (
    ErrorCode,
    Failure,
    FailureCode,
    FieldError,
    InvalidRequestError,
    QueueFullError,
    TooLargeError,
)
from sdrest.job_types import JobType
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.settings import Settings
from sdrest.web.description.a1111_examples import A1111_EXAMPLES
from sdrest.web.description.openai_examples import OPENAI_EXAMPLES
from sdrest.web.dialects.original_ids import job_id, server_values
from sdrest.web.live.messages import EventKind
from sdrest.web.responses.errors import MEANINGS
from sdrest.web.responses.render import error_body, job_body, job_entry

BASE = "https://0.0.0.0:8888"
"""How the README's commands name a server; the page's script puts in this one's name."""

_PROMPT = (
    "A digital illustration of a beautiful mountain landscape, detailed, {}, epic composition, 4k, "
    "trending on artstation, fantasy vivid colors"
)

REQUESTS: Mapping[JobType, Mapping[str, str]] = {
    JobType.TEXT_TO_IMAGE: {
        "prompt": _PROMPT.format("thom tenerys"),
        "iterations": "3",
        "steps": "8",
        "seed": "42",
    },
    JobType.IMAGE_TO_IMAGE: {
        "prompt": _PROMPT.format("thom tenery"),
        "image": "@./image.png",
        "iterations": "3",
        "steps": "24",
        "seed": "42",
    },
    JobType.INPAINT_IMAGE: {
        "image": "@./image.png",
        "mask": "@./image-mask.png",
        "steps": "32",
        "seed": "42",
    },
}
"""The README's requests: what curl sends as a form; `@` is before the path of a file."""

ID = job_id(REQUESTS[JobType.TEXT_TO_IMAGE], server_values(JobType.TEXT_TO_IMAGE, Settings(), {}))
"""The job of the first of them, as a server with the default flags names it."""

JSON_REQUEST = {
    "prompt": _PROMPT.format("thom tenerys"),
    "iterations": 3,
    "steps": 8,
    "seed": False,
    "keepAlive": "5m",
}

_FAILURE = Failure(
    FailureCode.SCRIPT_FAILED,
    "The script failed: RuntimeError: expected scalar type Half but found Float",
    {"exitCode": 1, "stderr": "RuntimeError: expected scalar type Half but found Float"},
)


def curl(job_type: JobType) -> str:
    """Return the README's command that asks for a job of this type."""
    form = (
        f"--form {name}={value}" if value.startswith("@") else f'--form {name}="{value}"'
        for name, value in REQUESTS[job_type].items()
    )
    end = ('--header "Content-Type: multipart/form-data"', "--location")
    return " \\\n  ".join((f"curl {BASE}/{job_type}", *form, *end))


def error_example(code: ErrorCode) -> dict[str, Any]:
    """Return an answer with the code."""
    message, details = MEANINGS[code], {}
    match code:
        case ErrorCode.INVALID_REQUEST:
            error: Any = InvalidRequestError([FieldError("prompt", "Is required.")])
        case ErrorCode.QUEUE_FULL:
            error = QueueFullError(limit=1000, retry_after=60)
        case ErrorCode.TOO_LARGE:
            error = TooLargeError("The body has more than 102400 bytes.", limit=102_400)
        case _:
            error = None
    if error is not None:
        message, details = error.message, error.details
    return _parsed(error_body(code, message, details))


def _snapshot(status: Status) -> Snapshot:
    started = status is not Status.QUEUED
    job = Job(
        key=JobKey(JobType.TEXT_TO_IMAGE, ID),
        status=status,
        params={"prompt": "a red fox in the snow", "iterations": 3, "steps": 8, "seed": 42},
        total_images=3,
        images={Status.QUEUED: 0, Status.COMPLETE: 3}.get(status, 1),
        seed=42,
        attempts=int(started),
        created_at=1_760_000_000.0,
        started_at=1_760_000_000.5 if started else None,
        finished_at=1_760_000_012.5 if status.final else None,
        failure=_FAILURE if status is Status.FAILED else None,
    )
    preview = 7 if status is Status.IN_PROGRESS else None
    return Snapshot(job, Progress(2, 0.25), None if started else 1, preview=preview)


def _parsed(body: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(body)
    return value


def _event(status: Status, kind: EventKind) -> dict[str, str]:
    entry = job_entry(_snapshot(status), params=kind is EventKind.STATUS)
    if kind is EventKind.DELETED:
        entry = {name: entry[name] for name in ("id", "resultUrl", "type")}
    elif kind is EventKind.RESET:
        entry = {}
    data = json.dumps(entry, separators=(",", ":"))
    return {"event": kind, "id": "3f9c2a61-7-0", "data": data}


_JOBS: Mapping[str, Any] = {status: _parsed(job_body(_snapshot(status))) for status in Status}
_ENTRIES = [job_entry(_snapshot(status)) for status in (Status.QUEUED, Status.COMPLETE)]

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "Job": _JOBS,
    "Jobs": {
        "a page": {
            "counts": {status: int(status in {"QUEUED", "COMPLETE"}) for status in Status},
            "jobs": _ENTRIES,
            "nextCursor": None,
        }
    },
    "Event": {
        kind: _event(Status.QUEUED if kind is EventKind.STATUS else Status.IN_PROGRESS, kind)
        for kind in EventKind
    },
    "Health": {"alive": {"status": "ok"}},
    "Readiness": {
        "ready": {
            "engine": {"kind": "repository", "message": "Jobs run in the repository."},
            "problems": [],
            "status": "ready",
            "usable": [*JobType],
        },
    },
    "NotReady": {
        "not ready": {
            "engine": {"kind": "repository", "message": "Jobs run in the repository."},
            "problems": [
                {"code": FailureCode.REPOSITORY_MISSING, "message": "There is no repository."}
            ],
            "status": "not ready",
            "usable": [],
        },
    },
    **OPENAI_EXAMPLES,
    **A1111_EXAMPLES,
    "Models": {
        "two models": {
            "models": [
                {
                    "name": "dreamshaper_8",
                    "file": "dreamshaper_8.safetensors",
                    "size": 2_132_625_894,
                    "kind": "text-to-image",
                    "usable": True,
                    "reason": None,
                    "types": [JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE],
                    "default": [],
                    "loaded": False,
                    "hash": "879db523c3",
                    "workers": [],
                },
                {
                    "name": "sd_xl_base_1.0",
                    "file": "sd_xl_base_1.0.safetensors",
                    "size": 6_938_078_334,
                    "kind": "sdxl",
                    "usable": False,
                    "reason": REASONS["sdxl"],
                    "types": [],
                    "default": [],
                    "loaded": False,
                    "hash": None,
                    "workers": ["attic"],
                },
            ]
        }
    },
    "Workers": {
        "a worker": {
            "cluster": "tls://0.0.0.0:8786",
            "workers": [
                {
                    "accelerator": "cuda",
                    "address": "tls://192.168.0.7:40123",
                    "bundled": False,
                    "capacity": 1,
                    "jobs": [ID],
                    "lastSeen": "2026-11-28T21:00:02.500Z",
                    "memory": 67_108_864_000,
                    "memoryUsed": 5_368_709_120,
                    "models": [
                        {
                            "name": "dreamshaper_8",
                            "file": "dreamshaper_8.safetensors",
                            "hash": "879db523c3",
                            "types": [JobType.TEXT_TO_IMAGE, JobType.IMAGE_TO_IMAGE],
                            "loaded": True,
                        }
                    ],
                    "name": "cellar",
                    "problems": [],
                    "python": "3.12",
                    "reason": None,
                    "since": "2026-11-28T20:12:00.000Z",
                    "state": "ready",
                    "types": [*JobType],
                    "version": "1.0.0",
                    "warnings": [],
                }
            ],
        }
    },
    "JobPaths": {"a job": {"jobs": [f"/{JobType.TEXT_TO_IMAGE}/{ID}"]}},
    "ImagePaths": {"an image": {"images": [f"/{JobType.TEXT_TO_IMAGE}/{ID}/1.png"]}},
    "Session": {"a token": {"token": "a-secret-of-many-letters"}},
}
"""Bodies by the name of their shape, or the `example` of a `ResponseSpec`; each has its own."""
