"""What each route does and answers, for its description; who may use it says `access.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.jobs.model import Status
from sdrest.params import JobType

_OK = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes with a status; `schema` names the shape of a JSON body."""

    text: str
    media_type: str = ""
    schema: str = ""
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a header of the request."""

    name: str
    schema: Mapping[str, Any]
    text: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """A route. `body` names the shape of its request; TYPE stands for that of the job's type."""

    summary: str
    answers: Mapping[HTTPStatus, Answer]
    errors: tuple[ErrorCode, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: str = ""


def _json(text: str, schema: str) -> Answer:
    return Answer(text, "application/json", schema)


_TEXT: Mapping[str, Any] = {"type": "string"}
_FRESH = Parameter("If-None-Match", _TEXT, "The ETag of the answer that the client has.", "header")
_LAST = Parameter("Last-Event-ID", _TEXT, "The id of the last event that was heard.", "header")
_NOT_MODIFIED = {HTTPStatus.NOT_MODIFIED: Answer("The client has the current answer.")}
_FOUND = {HTTPStatus.FOUND: Answer("The job's address.", headers=("Location",))}
_STREAM = {_OK: Answer("Events `status`, `progress` and `image`.", "text/event-stream")}
_JOB = (ErrorCode.NOT_FOUND, ErrorCode.GONE)
_BODY = (
    ErrorCode.MALFORMED_REQUEST,
    ErrorCode.TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
)


def _file(summary: str, text: str, media_type: str) -> Operation:
    return Operation(
        summary, {_OK: Answer(text, media_type), **_NOT_MODIFIED}, parameters=(_FRESH,)
    )


OPERATIONS: Mapping[str, Operation] = {
    "POST /TYPE": Operation(
        "Ask for a job",
        _FOUND,
        (*_BODY, ErrorCode.INVALID_REQUEST, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
        body="TYPE",
    ),
    "GET /TYPE/{id}": Operation(
        "See where a job stands",
        {_OK: _json("The job.", "Job"), **_NOT_MODIFIED},
        (*_JOB, ErrorCode.INVALID_REQUEST),
        (
            Parameter(
                "wait",
                {"type": "number", "minimum": 0},
                "Seconds to wait for the job's JSON to change; 60 is the most.",
            ),
            _FRESH,
        ),
    ),
    "GET /TYPE/{id}/{number}.png": Operation(
        "Fetch an image of a job",
        {
            _OK: Answer("The image.", "image/png"),
            HTTPStatus.PARTIAL_CONTENT: Answer(
                "The part that `Range` asks for.", "image/png", headers=("Content-Range",)
            ),
            **_NOT_MODIFIED,
        },
        (*_JOB, ErrorCode.PRECONDITION_FAILED, ErrorCode.RANGE_NOT_SATISFIABLE),
        (
            _FRESH,
            Parameter("If-Match", _TEXT, "The ETag that the image should have.", "header"),
            Parameter("Range", _TEXT, "The bytes to send, as in `bytes=0-99`.", "header"),
        ),
    ),
    "GET /TYPE/{id}/events": Operation(
        "Follow a job to its end (Server-Sent Events)",
        {**_STREAM, HTTPStatus.NO_CONTENT: Answer("The client has seen the job's end.")},
        _JOB,
        (_LAST,),
    ),
    "POST /TYPE/{id}/cancel": Operation("Cancel a job", {_OK: _json("The job.", "Job")}, _JOB),
    "POST /TYPE/{id}/retry": Operation(
        "Run a FAILED or CANCELLED job again",
        _FOUND,
        (*_JOB, ErrorCode.CONFLICT, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
    ),
    "DELETE /TYPE/{id}": Operation(
        "Delete a job with all its files",
        {HTTPStatus.NO_CONTENT: Answer("It is gone.")},
        _JOB,
    ),
    "GET /jobs": Operation(
        "List jobs, newest first",
        {_OK: _json("A page of jobs.", "Jobs")},
        (ErrorCode.INVALID_REQUEST,),
        (
            Parameter("status", {"type": "string", "enum": [*Status]}, "Only jobs in this state."),
            Parameter("type", {"type": "string", "enum": [*JobType]}, "Only jobs of this type."),
            Parameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
                "How many jobs.",
            ),
            Parameter(
                "cursor", {"type": "string", "pattern": "^[0-9]+$"}, "An answer's `nextCursor`."
            ),
        ),
    ),
    "GET /events": Operation("Follow all jobs (Server-Sent Events)", _STREAM, parameters=(_LAST,)),
    "GET /healthz": Operation("Is the server alive?", {_OK: _json("It is.", "Health")}),
    "GET /readyz": Operation(
        "Could the server make a picture now?",
        {
            _OK: _json("It could.", "Readiness"),
            HTTPStatus.SERVICE_UNAVAILABLE: _json(
                "Every job would be refused or fail; `problems` says why.", "Readiness"
            ),
        },
    ),
    "GET /metrics": Operation(
        "Metrics for Prometheus",
        {_OK: Answer("The text format, or OpenMetrics if `Accept` prefers it.", "text/plain")},
    ),
    "POST /session": Operation(
        "Turn the token into a cookie",
        {HTTPStatus.NO_CONTENT: Answer("The cookie, if the server has a token.")},
        (*_BODY, ErrorCode.UNAUTHORIZED),
        body="Session",
    ),
    "GET /": _file("The page", "The page.", "text/html"),
    "GET /static": _file("A file of the page", "The file.", "*/*"),
    "GET /docs": _file("This description, to be read", "The description.", "text/html"),
    "GET /openapi.json": _file("This description", "OpenAPI 3.1.", "application/json"),
}
