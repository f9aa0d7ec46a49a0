"""The routes of the server: the one list from which the router and the descriptions derive."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode, UsageError
from sdrest.jobs.model import Status
from sdrest.params import JobType
from sdrest.settings import Settings
from sdrest.web.description import docs
from sdrest.web.dialects import control, original
from sdrest.web.live import events
from sdrest.web.monitoring import health, scrape
from sdrest.web.monitoring.metrics import OPENMETRICS, PLAIN
from sdrest.web.page import handlers as page
from sdrest.web.requests import session
from sdrest.web.responses.thumbnails import LARGEST, SMALLEST
from sdrest.web.route import (
    PUBLIC_ANY_ORIGIN,
    PUBLIC_SAME_ORIGIN,
    TOKEN_ANY_ORIGIN,
    Handler,
    Parameter,
    ResponseSpec,
    Route,
)

_OK = HTTPStatus.OK

_STATUS, _EVENTS = "GET /TYPE/{id}", "GET /TYPE/{id}/events"
_PNG = "GET /TYPE/{id}/{number}.png"
_CANCEL, _RETRY, _DELETE = "POST /TYPE/{id}/cancel", "POST /TYPE/{id}/retry", "DELETE /TYPE/{id}"


def _json(text: str, schema: str, *links: str, headers: tuple[str, ...] = ()) -> ResponseSpec:
    return ResponseSpec(text, "application/json", schema, headers=headers, links=links)


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
    HTTPStatus.NOT_MODIFIED: ResponseSpec("The client has the current answer.", headers=("ETag",))
}
_FOUND = {
    HTTPStatus.FOUND: ResponseSpec(
        "The job's path is in `Location`; the body says so, in the type that `Accept` prefers.",
        "text/plain, text/html",
        headers=("Location", "Vary"),
    )
}
_STREAM = {
    _OK: ResponseSpec(
        "Events `status`, `progress` and `image`, each with the job as its data; `status` tells "
        "its `params` too. `deleted` is the last of a job; `reset` says that what was missed is no "
        "longer known. A comment comes at least every 15 seconds.",
        "text/event-stream",
        "Event",
    )
}
_JOB = (ErrorCode.NOT_FOUND, ErrorCode.GONE)
_BODY = (ErrorCode.TOO_LARGE, ErrorCode.UNSUPPORTED_MEDIA_TYPE, ErrorCode.INVALID_REQUEST)


def _file(path: str, handler: Handler, summary: str, text: str, media_type: str) -> Route:
    return Route(
        "GET",
        path,
        handler,
        summary,
        {_OK: ResponseSpec(text, media_type, headers=("ETag",)), **_NOT_MODIFIED},
        parameters=(_FRESH,),
        access=PUBLIC_SAME_ORIGIN,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/TYPE",
        original.submit_job,
        "Ask for a job",
        _FOUND,
        (*_BODY, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
        access=TOKEN_ANY_ORIGIN,
        body="TYPE",
        text="The same request again is the same job: it runs once. A FAILED or CANCELLED one "
        "runs again, and one whose images were deleted from the output folder. A request with a "
        "random seed is always a new job.",
    ),
    Route(
        "GET",
        "/TYPE/{id}",
        original.send_job,
        "See where a job stands",
        {
            _OK: _json("The job.", "Job", _PNG, _EVENTS, _CANCEL, _DELETE, headers=("ETag",)),
            **_NOT_MODIFIED,
        },
        (*_JOB, ErrorCode.INVALID_REQUEST),
        (_WAIT, _FRESH),
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "POST",
        "/TYPE/{id}",
        original.send_job_again,
        "See where a job stands, for clients that repeat a POST after its redirect",
        {_OK: _json("The job.", "Job", _PNG, _EVENTS, _CANCEL, _DELETE, headers=("ETag",))},
        (*_JOB, ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE),
        (_WAIT,),
        access=TOKEN_ANY_ORIGIN,
        text="The body is read and ignored; the job does not change.",
    ),
    Route(
        "GET",
        "/TYPE/{id}/{number}.png",
        original.send_job_image,
        "Fetch an image of a job",
        {
            _OK: ResponseSpec("The image.", "image/png", headers=_IMAGE),
            HTTPStatus.PARTIAL_CONTENT: ResponseSpec(
                "The part that `Range` asks for.", "image/png", headers=(*_IMAGE, "Content-Range")
            ),
            HTTPStatus.NOT_MODIFIED: ResponseSpec("The client has the image.", headers=_IMAGE),
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
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "GET",
        "/TYPE/{id}/events",
        events.send_job_events,
        "Follow a job to its end (Server-Sent Events)",
        {**_STREAM, HTTPStatus.NO_CONTENT: ResponseSpec("The client has seen the job's end.")},
        _JOB,
        (_LAST,),
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "POST",
        "/TYPE/{id}/cancel",
        control.cancel_job,
        "Cancel a job",
        {_OK: _json("The job.", "Job", _RETRY, _DELETE, _STATUS)},
        _JOB,
        text="A waiting or running job is CANCELLED, and nothing of its script is left; its "
        "finished images stay. One that is at its end stays as it is.",
    ),
    Route(
        "POST",
        "/TYPE/{id}/retry",
        control.retry_job,
        "Run a FAILED or CANCELLED job again",
        _FOUND,
        (*_JOB, ErrorCode.CONFLICT, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
    ),
    Route(
        "DELETE",
        "/TYPE/{id}",
        control.delete_job,
        "Delete a job with all its files",
        {HTTPStatus.NO_CONTENT: ResponseSpec("It is gone.")},
        _JOB,
        text="It is cancelled if need be. From then on its path answers 410; its request may be "
        "sent again.",
    ),
    Route(
        "GET",
        "/jobs",
        control.list_jobs,
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
    Route(
        "GET",
        "/events",
        events.send_all_events,
        "Follow all jobs (Server-Sent Events)",
        _STREAM,
        parameters=(_LAST,),
    ),
    Route(
        "GET",
        "/healthz",
        health.send_health,
        "Is the server alive?",
        {_OK: _json("It is.", "Health")},
        access=PUBLIC_ANY_ORIGIN,
    ),
    Route(
        "GET",
        "/readyz",
        health.send_readiness,
        "Could the server make a picture now?",
        {
            _OK: _json(
                "It could. `problems` says which types could not, and what the file system of the "
                "output folder lacks.",
                "Readiness",
            ),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseSpec(
                "Every job would be refused or fail; `problems` says why.",
                "application/json",
                "Readiness",
                example="NotReady",
            ),
        },
        access=PUBLIC_SAME_ORIGIN,
    ),
    Route(
        "GET",
        "/metrics",
        scrape.send_metrics,
        "Metrics for Prometheus",
        {
            _OK: ResponseSpec(
                "The text format, or OpenMetrics if `Accept` names it.",
                f"{PLAIN}, {OPENMETRICS}",
                headers=("Vary",),
            )
        },
    ),
    Route(
        "POST",
        "/session",
        session.open_session,
        "Turn the token into a cookie",
        {
            HTTPStatus.NO_CONTENT: ResponseSpec(
                "The cookie, if the server has a token.", headers=("Set-Cookie",)
            )
        },
        (*_BODY, ErrorCode.UNAUTHORIZED),
        access=PUBLIC_SAME_ORIGIN,
        body="Session",
    ),
    _file("/", page.send_page, "The page", "The page.", "text/html"),
    _file("/docs", docs.send_docs, "This description, to be read", "The description.", "text/html"),
    _file(
        "/openapi.json",
        docs.send_document,
        "This description",
        "OpenAPI 3.1.",
        "application/json",
    ),
    *(
        Route("GET", path, handler, access=PUBLIC_SAME_ORIGIN, label="GET /static")
        for path, handler in page.static_handlers()
    ),
)


def require_free_base_path(settings: Settings) -> None:
    """Raise `UsageError` for a base path that begins as the path of a route does."""
    first = settings.base_path.partition("/")[2].partition("/")[0].lower()
    if first and first in {*JobType, *(route.path.split("/")[1] for route in ROUTES)}:
        raise UsageError(
            f"--base-path {settings.base_path}: /{first} is a route of the server. "
            f"Use another path, such as /sd{settings.base_path}."
        )
