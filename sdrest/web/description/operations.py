"""What each route does and answers, for its description; who may use it says `access.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.jobs.model import Status
from sdrest.params import JobType
from sdrest.web.monitoring.metrics import OPENMETRICS, PLAIN
from sdrest.web.responses.thumbnails import LARGEST, SMALLEST

_OK = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes with a status.

    `schema` names the shape of a body (`shapes.py`), `example` its examples where they have
    another name; `headers` are names of `shapes.HEADERS`. `links` are what can be asked next about
    the job.
    """

    text: str
    media_type: str = ""
    schema: str = ""
    headers: tuple[str, ...] = ()
    example: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a header of the request."""

    name: str
    schema: Mapping[str, Any]
    text: str
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """A route. `body` names the shape of its request; TYPE stands for that of the job's type.

    `errors` leaves out what every route may answer, and what follows from whom it is for.
    """

    summary: str
    answers: Mapping[HTTPStatus, Answer]
    errors: tuple[ErrorCode, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    text: str = ""


_STATUS, _EVENTS = "GET /TYPE/{id}", "GET /TYPE/{id}/events"
_PNG = "GET /TYPE/{id}/{number}.png"
_CANCEL, _RETRY, _DELETE = "POST /TYPE/{id}/cancel", "POST /TYPE/{id}/retry", "DELETE /TYPE/{id}"


def _json(text: str, schema: str, *links: str, headers: tuple[str, ...] = ()) -> Answer:
    return Answer(text, "application/json", schema, headers=headers, links=links)


_IMAGE = ("ETag", "Last-Modified", "Accept-Ranges")
_TEXT: Mapping[str, Any] = {"type": "string"}
_FRESH = Parameter("If-None-Match", _TEXT, "The ETag of the answer that the client has.", "header")
_WAIT = Parameter(
    "wait",
    {"type": "number", "minimum": 0},
    "Seconds to wait for the job's JSON to change, at most 60 of them.",
)
_LAST = Parameter("Last-Event-ID", _TEXT, "The id of the last event that was heard.", "header")
_NOT_MODIFIED = {
    HTTPStatus.NOT_MODIFIED: Answer("The client has the current answer.", headers=("ETag",))
}
_UNCHANGED = {
    HTTPStatus.NOT_MODIFIED: Answer("The client has the image.", headers=_IMAGE),
}
_FOUND = {
    HTTPStatus.FOUND: Answer(
        "The job's path is in `Location`; the body says so, in the type that `Accept` prefers.",
        "text/plain, text/html",
        headers=("Location", "Vary"),
    )
}
_STREAM = {
    _OK: Answer(
        "Events `status`, `progress` and `image`, each with the job as its data; `status` tells "
        "its `params` too. `deleted` is the last of a job; `reset` says that what was missed is no "
        "longer known. A comment comes at least every 15 seconds.",
        "text/event-stream",
        "Event",
    )
}
_JOB = (ErrorCode.NOT_FOUND, ErrorCode.GONE)
_BODY = (ErrorCode.TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE, ErrorCode.INVALID_REQUEST)


def _file(summary: str, text: str, media_type: str) -> Operation:
    return Operation(
        summary,
        {_OK: Answer(text, media_type, headers=("ETag",)), **_NOT_MODIFIED},
        parameters=(_FRESH,),
    )


PREFLIGHT = Operation(
    "Ask what pages of other origins may do (CORS)",
    {
        _OK: Answer(
            "The answer to a preflight.",
            headers=(
                "Access-Control-Allow-Methods",
                "Access-Control-Allow-Headers",
                "Access-Control-Max-Age",
            ),
        ),
        HTTPStatus.NO_CONTENT: Answer(
            "The answer to any other OPTIONS.", headers=("Access-Control-Allow-Methods", "Vary")
        ),
    },
    (ErrorCode.FOREIGN_ORIGIN, ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED),
    (
        Parameter("Origin", _TEXT, "Whose page asks.", "header"),
        Parameter("Access-Control-Request-Method", _TEXT, "What it would do.", "header"),
        Parameter("Access-Control-Request-Headers", _TEXT, "What it would send.", "header"),
    ),
    text="405 where the server runs with `--no-cors`.",
)
"""OPTIONS, at every route that pages of other origins may use."""

UNDESCRIBED = {"GET /static"}
"""Routes that are the page's own matter."""

OPERATIONS: Mapping[str, Operation] = {
    "POST /TYPE": Operation(
        "Ask for a job",
        _FOUND,
        (*_BODY, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
        body="TYPE",
        text="The same request again is the same job: it runs once. A FAILED or CANCELLED one "
        "runs again, and one whose images were deleted from the output folder. A request with a "
        "random seed is always a new job.",
    ),
    _STATUS: Operation(
        "See where a job stands",
        {
            _OK: _json("The job.", "Job", _PNG, _EVENTS, _CANCEL, _DELETE, headers=("ETag",)),
            **_NOT_MODIFIED,
        },
        (*_JOB, ErrorCode.INVALID_REQUEST),
        (_WAIT, _FRESH),
    ),
    "POST /TYPE/{id}": Operation(
        "See where a job stands, for clients that repeat a POST after its redirect",
        {_OK: _json("The job.", "Job", _PNG, _EVENTS, _CANCEL, _DELETE, headers=("ETag",))},
        (*_JOB, ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE),
        (_WAIT,),
        text="The body is read and ignored; the job does not change.",
    ),
    _PNG: Operation(
        "Fetch an image of a job",
        {
            _OK: Answer("The image.", "image/png", headers=_IMAGE),
            HTTPStatus.PARTIAL_CONTENT: Answer(
                "The part that `Range` asks for.",
                "image/png",
                headers=(*_IMAGE, "Content-Range"),
            ),
            **_UNCHANGED,
        },
        (
            *_JOB,
            ErrorCode.INVALID_REQUEST,
            ErrorCode.PRECONDITION_FAILED,
            ErrorCode.RANGE_NOT_SATISFIABLE,
        ),
        (
            Parameter(
                "size",
                {"type": "integer", "minimum": SMALLEST, "maximum": LARGEST},
                "Most pixels of the longer side; a larger image is made smaller.",
            ),
            _FRESH,
            Parameter("If-Match", _TEXT, "The ETag that the image should have.", "header"),
            Parameter("Range", _TEXT, "The bytes to send, as in `bytes=0-99`.", "header"),
        ),
    ),
    _EVENTS: Operation(
        "Follow a job to its end (Server-Sent Events)",
        {**_STREAM, HTTPStatus.NO_CONTENT: Answer("The client has seen the job's end.")},
        _JOB,
        (_LAST,),
    ),
    _CANCEL: Operation(
        "Cancel a job",
        {_OK: _json("The job.", "Job", _RETRY, _DELETE, _STATUS)},
        _JOB,
        text="A waiting or running job is CANCELLED, and nothing of its script is left; its "
        "finished images stay. One that is at its end stays as it is.",
    ),
    _RETRY: Operation(
        "Run a FAILED or CANCELLED job again",
        _FOUND,
        (*_JOB, ErrorCode.CONFLICT, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
    ),
    _DELETE: Operation(
        "Delete a job with all its files",
        {HTTPStatus.NO_CONTENT: Answer("It is gone.")},
        _JOB,
        text="It is cancelled if need be. From then on its path answers 410; its request may be "
        "sent again.",
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
                "cursor",
                {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
                "An answer's `nextCursor`.",
            ),
        ),
    ),
    "GET /events": Operation("Follow all jobs (Server-Sent Events)", _STREAM, parameters=(_LAST,)),
    "GET /healthz": Operation("Is the server alive?", {_OK: _json("It is.", "Health")}),
    "GET /readyz": Operation(
        "Could the server make a picture now?",
        {
            _OK: _json(
                "It could. `problems` says which types could not, and what the file system of the "
                "output folder lacks.",
                "Readiness",
            ),
            HTTPStatus.SERVICE_UNAVAILABLE: Answer(
                "Every job would be refused or fail; `problems` says why.",
                "application/json",
                "Readiness",
                example="NotReady",
            ),
        },
    ),
    "GET /metrics": Operation(
        "Metrics for Prometheus",
        {
            _OK: Answer(
                "The text format, or OpenMetrics if `Accept` names it.",
                f"{PLAIN}, {OPENMETRICS}",
                headers=("Vary",),
            )
        },
    ),
    "POST /session": Operation(
        "Turn the token into a cookie",
        {
            HTTPStatus.NO_CONTENT: Answer(
                "The cookie, if the server has a token.", headers=("Set-Cookie",)
            )
        },
        (*_BODY, ErrorCode.UNAUTHORIZED),
        body="Session",
    ),
    "GET /": _file("The page", "The page.", "text/html"),
    "GET /docs": _file("This description, to be read", "The description.", "text/html"),
    "GET /openapi.json": _file("This description", "OpenAPI 3.1.", "application/json"),
}
