"""The routes of jobs."""

from http import HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.web.dialects import control, model_list, original
from sdrest.web.live import events
from sdrest.web.responses.thumbnails import LARGEST, SMALLEST
from sdrest.web.route import TOKEN_ANY_ORIGIN, Parameter, ResponseSpec, Route
from sdrest.web.routes.gallery import ROUTES as GALLERY
from sdrest.web.routes.shared import (
    BODY_ERRORS,
    IF_NONE_MATCH,
    NOT_MODIFIED,
    OK,
    TEXT,
    json_spec,
)

_STATUS, _EVENTS = "GET /TYPE/{id}", "GET /TYPE/{id}/events"
_PNG, _PREVIEW = "GET /TYPE/{id}/{number}.png", "GET /TYPE/{id}/preview"
_CANCEL, _RETRY, _DELETE = "POST /TYPE/{id}/cancel", "POST /TYPE/{id}/retry", "DELETE /TYPE/{id}"
_JOB_RESPONSE = json_spec(
    "The job.", "Job", _PNG, _PREVIEW, _EVENTS, _CANCEL, _DELETE, headers=("ETag",)
)
_IMAGE = ("ETag", "Last-Modified", "Accept-Ranges")
_WAIT = Parameter(
    "wait",
    {"type": "number", "minimum": 0},
    "Seconds to wait for the job's JSON to change, at most 60 of them.",
)
_LAST_EVENT_ID = Parameter(
    "Last-Event-ID", TEXT, "The id of the last event that was heard.", "header"
)
_FOUND = {
    HTTPStatus.FOUND: ResponseSpec(
        "The job's path is in `Location`; the body says so, in the type that `Accept` prefers.",
        "text/plain, text/html",
        headers=("Location", "Vary"),
    )
}
_STREAM = {
    OK: ResponseSpec(
        "Events `status`, `progress`, `preview` and `image`, each with the job as its data; "
        "`status` has its `params` too. `deleted` is the last of a job; `reset` says that missed "
        "events are no longer known. A comment comes at least every 15 seconds.",
        "text/event-stream",
        "Event",
    )
}
_JOB_ERRORS = (ErrorCode.NOT_FOUND, ErrorCode.GONE)

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/TYPE",
        original.submit_job,
        "Create a job",
        _FOUND,
        (*BODY_ERRORS, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
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
            OK: json_spec(
                "The job.", "Job", _PNG, _PREVIEW, _EVENTS, _CANCEL, _DELETE, headers=("ETag",)
            ),
            **NOT_MODIFIED,
        },
        (*_JOB_ERRORS, ErrorCode.INVALID_REQUEST),
        (_WAIT, IF_NONE_MATCH),
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "POST",
        "/TYPE/{id}",
        original.send_job_again,
        "See where a job stands, for clients that repeat a POST after its redirect",
        {OK: _JOB_RESPONSE},
        (*_JOB_ERRORS, ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE),
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
            OK: ResponseSpec("The image.", "image/png", headers=_IMAGE),
            HTTPStatus.PARTIAL_CONTENT: ResponseSpec(
                "The part that `Range` asks for.", "image/png", headers=(*_IMAGE, "Content-Range")
            ),
            HTTPStatus.NOT_MODIFIED: ResponseSpec("The client has the image.", headers=_IMAGE),
        },
        (
            *_JOB_ERRORS,
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
            IF_NONE_MATCH,
            Parameter("If-Match", TEXT, "The ETag that the image should have.", "header"),
            Parameter("Range", TEXT, "The bytes to send, as in `bytes=0-99`.", "header"),
        ),
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "GET",
        "/TYPE/{id}/preview",
        control.send_job_preview,
        "See what the image in progress looks like so far",
        {OK: ResponseSpec("A small picture.", "image/jpeg, image/png")},
        (*_JOB_ERRORS, ErrorCode.NO_PREVIEW),
        (
            Parameter(
                "number", TEXT, "Ignored; another one for each preview in the job's `preview`."
            ),
        ),
        access=TOKEN_ANY_ORIGIN,
        text="A running job has a preview from the first step of each image until that image is "
        "ready, if the engine provides previews and the server runs without `--no-previews`. In a "
        "batch it is of the first image. It changes at most every half second and is in memory "
        "only.",
    ),
    Route(
        "GET",
        "/TYPE/{id}/events",
        events.send_job_events,
        "Follow a job to its end (Server-Sent Events)",
        {**_STREAM, HTTPStatus.NO_CONTENT: ResponseSpec("The client has seen the job's end.")},
        _JOB_ERRORS,
        (_LAST_EVENT_ID,),
        access=TOKEN_ANY_ORIGIN,
    ),
    Route(
        "POST",
        "/TYPE/{id}/cancel",
        control.cancel_job,
        "Cancel a job",
        {OK: json_spec("The job.", "Job", _RETRY, _DELETE, _STATUS)},
        _JOB_ERRORS,
        text="A waiting or running job is CANCELLED, and nothing of its script is left; its "
        "finished images stay. One that is at its end stays as it is.",
    ),
    Route(
        "POST",
        "/TYPE/{id}/retry",
        control.retry_job,
        "Run a FAILED or CANCELLED job again",
        _FOUND,
        (*_JOB_ERRORS, ErrorCode.CONFLICT, ErrorCode.QUEUE_FULL, ErrorCode.STOPPING),
    ),
    Route(
        "DELETE",
        "/TYPE/{id}",
        control.delete_job,
        "Delete a job with all its files",
        {HTTPStatus.NO_CONTENT: ResponseSpec("It is gone.")},
        _JOB_ERRORS,
        text="It is cancelled if need be. From then on its path answers 410; its request may be "
        "sent again.",
    ),
    Route(
        "GET",
        "/jobs",
        control.list_jobs,
        "List jobs, newest first",
        {OK: json_spec("A page of jobs.", "Jobs")},
        (ErrorCode.INVALID_REQUEST,),
        (
            Parameter("status", {"type": "string", "enum": [*Status]}, "Only jobs in this state."),
            Parameter("type", {"type": "string", "enum": [*JobType]}, "Only jobs of this type."),
            Parameter(
                "q",
                {"type": "string", "maxLength": control.MAX_SEARCH},
                "Words that the prompt has, all of them, in any case.",
            ),
            Parameter(
                "favourite",
                {"type": "string", "enum": [*control.Favourite]},
                "Only jobs with an image that is a favourite.",
            ),
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
        tag="jobs",
    ),
    *GALLERY,
    Route(
        "GET",
        "/models",
        model_list.send_models,
        "List the checkpoints that jobs may name",
        {OK: json_spec("All files of the folder, usable or not.", "Models")},
        text="Those of `--models`, and those of the two flags. Hashes are computed in the "
        "background from the first request on.",
    ),
    Route(
        "GET",
        "/events",
        events.send_all_events,
        "Follow all jobs (Server-Sent Events)",
        _STREAM,
        parameters=(_LAST_EVENT_ID,),
        tag="jobs",
    ),
)
