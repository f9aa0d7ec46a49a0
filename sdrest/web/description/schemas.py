"""What answers look like: the schemas of their JSON, and of the headers that matter. Pure."""

from collections.abc import Mapping
from typing import Any

from sdrest.checkpoints.kinds import REASONS, TYPES
from sdrest.errors import ErrorCode, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.web.live.messages import EventKind
from sdrest.web.responses.errors import FAILURES, MEANINGS

Schema = dict[str, Any]

ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_RANK: Schema = {"type": "integer", "minimum": 1}
_SEED: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
JOB_PATH = f"/({'|'.join(JobType)})/[0-9a-f]{{32}}"
"""The pattern of a job's path."""

HEADERS: Mapping[str, Schema] = {
    "Accept-Ranges": {"description": "Parts may be asked for.", "schema": {"const": "bytes"}},
    "Content-Range": {
        "description": "Which bytes these are, and of how many.",
        "schema": {"type": "string", "pattern": r"^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$"},
    },
    "ETag": {
        "description": "Names this answer, for `If-None-Match`.",
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]+"$'},
    },
    "Last-Modified": {"description": "When the image was made.", "schema": _TEXT},
    "Location": {
        "description": "The path of the job.",
        "schema": {"type": "string", "pattern": f"(?i)^{JOB_PATH}$"},
    },
    "Retry-After": {"description": "Seconds until it may work.", "schema": _RANK},
    "Set-Cookie": {
        "description": "The cookie; there is none where the server has no token.",
        "schema": _TEXT,
    },
    "WWW-Authenticate": {
        "description": "How to send the token.",
        "schema": {"const": 'Bearer realm="sdrest"'},
    },
    "Access-Control-Allow-Methods": {"description": "What may be done.", "schema": _TEXT},
    "Access-Control-Allow-Headers": {
        "description": "What may be sent, if that was asked.",
        "schema": _TEXT,
    },
    "Access-Control-Max-Age": {"description": "Seconds for which this holds.", "schema": _TEXT},
    "Vary": {"description": "Headers that the answer depends on.", "schema": _TEXT},
    "Allow": {"description": "The methods of this address.", "schema": _TEXT},
}
"""The headers that answers are described with."""

SOMETIMES = {"Set-Cookie", "Access-Control-Allow-Headers"}
"""Headers that an answer may lack."""


def ref(name: str) -> Schema:
    """Return a reference to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def state(status: Status) -> str:
    """Return the name of the schema of jobs in this state."""
    return "Job" + "".join(word.title() for word in status.split("_"))


def schemas() -> dict[str, Schema]:
    """Return the schemas of all answers by their names."""
    states = {state(status): _job(status) for status in Status}
    anything = {"oneOf": [ref(name) for name in states]}
    mapping = {status: ref(state(status))["$ref"] for status in Status}
    return states | {
        "Job": anything | {"discriminator": {"propertyName": "status", "mapping": mapping}},
        "Entry": {**_object(_MORE), "allOf": [ref("Job")]},
        "Jobs": _object(
            {
                "counts": _object(dict.fromkeys(Status, _COUNT)),
                "jobs": {"type": "array", "items": ref("Entry")},
                "nextCursor": {
                    "type": ["string", "null"],
                    "description": "The `cursor` of the next page; null on the last.",
                },
            }
        ),
        "Error": _object({"error": _object(_ERROR)}),
        "FailureCode": codes(FAILURES),
        "ErrorCode": codes(MEANINGS),
        "Event": _object(
            {
                "event": {"enum": [*EventKind]},
                "id": {"type": "string", "description": "For `Last-Event-ID`."},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"anyOf": [ref("EventData"), ref("Deletion"), _NOTHING]},
                },
            }
        ),
        "EventData": {**_object(_MORE | {"params": _TOLD}, "params"), "allOf": [ref("Job")]},
        "Deletion": _object({"resultUrl": _RESULT, "id": _MORE["id"], "type": _MORE["type"]}),
        "Health": _object({"status": {"const": "ok"}}),
        "Readiness": _object(_READINESS),
        "Models": _object({"models": {"type": "array", "items": _object(_LISTED_MODEL)}}),
        "Session": _object({"token": {"type": "string", "description": "The token."}}, "token"),
    }


def codes(meanings: Mapping[Any, str]) -> Schema:
    """Return the schema of codes, each with its meaning."""
    options = [{"const": code, "description": text} for code, text in meanings.items()]
    return {"type": "string", "oneOf": options}


def _object(properties: Mapping[str, Any], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _job(status: Status) -> Schema:
    fields: Schema = {"status": {"const": status}, "resultUrl": _RESULT}
    match status:
        case Status.QUEUED:
            fields |= {"position": _POSITION, "waiting": _WAITING}
        case Status.IN_PROGRESS:
            fields |= {"progress": _PROGRESS, "imageUrls": _IMAGES, "waiting": _WAITING}
            fields["preview"] = _PREVIEW
        case Status.FAILED:
            fields |= {"error": _FAILURE, "imageUrls": _IMAGES}
        case _:
            fields["imageUrls"] = _IMAGES
    if status is not Status.QUEUED:
        fields["flagged"] = _FLAGGED
    optional = {"model": _MODEL, "seed": _CHOSEN}
    return _object(fields | optional, *optional, "position", "flagged", "preview", "waiting")


_RESULT: Schema = {
    "type": "string",
    "pattern": f"^{JOB_PATH}$",
    "description": "The path of this JSON.",
}
_POSITION = _RANK | {
    "description": "The place in the queue; 1 is the next to run. Missing for the instant between "
    "waiting and running.",
}
_IMAGES: Schema = {
    "type": "array",
    "items": {"type": "string", "pattern": rf"^{JOB_PATH}/[1-9][0-9]*\.png$"},
    "description": "The paths of the images that are complete. A listed image stays, unless "
    "somebody deletes its file.",
}
_FLAGGED: Schema = {
    "type": "array",
    "items": _RANK,
    "minItems": 1,
    "uniqueItems": True,
    "description": "The images, counted from 1, that the script's safety checker replaced. Missing "
    "where it replaced none.",
}
_MODEL: Schema = {
    "type": "string",
    "description": "The file of the checkpoint, where the request names one.",
}
_PREVIEW: Schema = {
    "type": "string",
    "pattern": rf"^{JOB_PATH}/preview\?number=[1-9][0-9]*$",
    "description": "The path of a small picture: what the image in progress looks like so far. "
    "Another one for each preview; missing while there is none.",
}
_CHOSEN = _SEED | {"description": "The random seed, where the request asked for one."}
_PROGRESS = _object(
    {
        "currentImageIndex": _RANK | {"description": "The image being made, counted from 1."},
        "currentImageProgress": _FRACTION | {"description": "How much of it is done."},
        "totalImages": _RANK | {"description": "How many there will be."},
    }
)
_WAITING = _object(
    {
        "code": {"const": ErrorCode.STORAGE_UNAVAILABLE},
        "message": {"type": "string", "description": "Why the job cannot go on and what to do."},
    }
) | {"description": "While the server cannot write: what the job waits for."}
_FAILURE = _object(
    {
        "code": ref("FailureCode"),
        "message": {"type": "string", "description": "What went wrong and what to do."},
        "details": {
            "type": "object",
            "properties": {
                "missingImages": {
                    "type": "array",
                    "items": _RANK,
                    "description": "Where listed images were deleted: their numbers.",
                },
                "exitCode": {
                    "type": "integer",
                    "description": "Where the script ended by itself: with which exit code.",
                },
                "signal": {
                    "type": "string",
                    "description": "Where a signal ended the script: its name.",
                },
                "stderr": {
                    "type": "string",
                    "description": "Where the script wrote something: its last lines.",
                },
            },
        },
    }
)
_WRONG_FIELD = _object({"field": _TEXT, "message": _TEXT})
_ERROR: Schema = {
    "code": ref("ErrorCode"),
    "message": {"type": "string", "description": "What is wrong, in a sentence or two."},
    "details": {
        "type": "object",
        "properties": {
            "fields": {
                "type": "array",
                "items": _WRONG_FIELD,
                "description": f"With `{ErrorCode.INVALID_REQUEST}`: each wrong field.",
            },
            "limit": _COUNT
            | {"description": "Where something is too much: the limit, in the message's unit."},
            "retryAfter": _RANK
            | {"description": "Where waiting helps: seconds until it may work."},
        },
    },
}
_MORE: Schema = {
    "id": ID,
    "type": {"type": "string", "enum": [*JobType]},
    "seed": _SEED,
    "createdAt": _TIME,
    "startedAt": _TIME,
    "finishedAt": _TIME,
    "params": {"type": "object", "description": "The request's fields, with their defaults."},
}
_TOLD = _MORE["params"] | {
    "description": "In `status` events: the request's fields, with their defaults."
}
_TYPES: Schema = {"type": "array", "items": {"enum": [*JobType]}}
_LISTED_MODEL: Schema = {
    "name": {"type": "string", "description": "What `model` in a request may be."},
    "file": {"type": "string", "description": "Its path in the folder of `--models`."},
    "size": _COUNT | {"description": "In bytes."},
    "kind": {
        "enum": [*TYPES, *REASONS],
        "description": "What it is by its content; see `reason` for kinds that cannot be used.",
    },
    "usable": {"type": "boolean"},
    "reason": {
        "type": ["string", "null"],
        "description": "Why it cannot be used and what to do; null if it can.",
    },
    "types": _TYPES | {"description": "The types of jobs that can use it."},
    "default": _TYPES | {"description": "The types of jobs that use it if they name no model."},
    "loaded": {"type": "boolean", "description": "Whether it is in memory, or being loaded."},
    "hash": {
        "type": ["string", "null"],
        "pattern": "^[0-9a-f]{10}$",
        "description": "The first digits of the file's SHA-256; null until they are known.",
    },
}
_NOTHING: Schema = {"type": "object", "maxProperties": 0, "description": "That of `reset`."}
_REFUSALS = (ErrorCode.STOPPING, ErrorCode.STORAGE_UNAVAILABLE)

_READINESS: Schema = {
    "engine": _object({"kind": {"enum": ["bundled", "repository"]}, "message": _TEXT}),
    "problems": {
        "type": "array",
        "items": _object({"code": {"enum": [*FailureCode, *_REFUSALS]}, "message": _TEXT}),
    },
    "status": {"enum": ["ready", "not ready"]},
    "usable": {"type": "array", "items": {"enum": [*JobType]}},
}
