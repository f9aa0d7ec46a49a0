"""The schemas of answers: of JSON bodies, from `responses/*answers.py`, and of headers. Pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from sdrest.web.live.messages import EventKind
from sdrest.web.responses import answers, error_answers, server_answers
from sdrest.web.responses.errors import FAILURES, MEANINGS

Schema = dict[str, Any]

ID = {"type": "string", "pattern": answers.ID_PATTERN}
_JOB_PATHS = f"^{answers.JOB_PATH}$"
_IMAGE_PATHS = rf"^{answers.JOB_PATH}/[1-9][0-9]{{0,5}}\.png$"
_TEXT: Schema = {"type": "string"}

_MODELS: Mapping[str, Any] = {
    "Job": answers.Job,
    "Entry": answers.Entry,
    "Jobs": answers.Jobs,
    "Error": error_answers.Error,
    "EventData": answers.EventData,
    "Deletion": answers.Deletion,
    "Health": server_answers.Health,
    "Models": server_answers.Models,
    "Workers": server_answers.Workers,
    "Readiness": server_answers.Readiness,
}
"""The bodies of answers by the names of their schemas."""

HEADERS: Mapping[str, Schema] = {
    "Accept-Ranges": {"description": "Parts may be asked for.", "schema": {"const": "bytes"}},
    "Content-Range": {
        "description": "Which bytes these are, and of how many.",
        "schema": {"type": "string", "pattern": r"^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$"},
    },
    "Content-Disposition": {"description": "The name of the file.", "schema": _TEXT},
    "ETag": {
        "description": "Names this answer, for `If-None-Match`.",
        "schema": {"type": "string", "pattern": '^(W/)?"[^"]+"$'},
    },
    "Last-Modified": {"description": "When the image was made.", "schema": _TEXT},
    "Location": {
        "description": "The path of the job.",
        "schema": {"type": "string", "pattern": f"(?i)^{answers.JOB_PATH}$"},
    },
    "Retry-After": {
        "description": "Seconds until it may work.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Set-Cookie": {
        "description": "The cookie; there is none where the server has no token.",
        "schema": _TEXT,
    },
    "x-request-id": {"description": "The id of the first picture's job.", "schema": ID},
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


def schemas() -> dict[str, Schema]:
    """Return the schemas of all answers by their names."""
    made, described = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(model)) for name, model in _MODELS.items()],
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Schema] = described["$defs"]
    found |= {name: schema for (name, _), schema in made.items() if "$ref" not in schema}
    for schema in found.values():
        schema.pop("description", None)  # a docstring, which `python -OO` strips
    for name in ("Entry", "EventData"):
        found[name]["allOf"] = [ref("Job")]
    nothing = {"type": "object", "maxProperties": 0, "description": "That of `reset`."}
    plain: dict[str, Schema] = _without_titles(found)
    return plain | {
        "ErrorCode": codes(MEANINGS),
        "FailureCode": codes(FAILURES),
        "Event": _object(
            {
                "event": {"enum": [*EventKind]},
                "id": {"type": "string", "description": "For `Last-Event-ID`."},
                "data": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"anyOf": [ref("EventData"), ref("Deletion"), nothing]},
                },
            }
        ),
        "JobPaths": _object({"jobs": _paths("resultUrl", _JOB_PATHS)}),
        "ImagePaths": _object({"images": _paths("imageUrls", _IMAGE_PATHS)}),
        "Session": _object({"token": {"type": "string", "description": "The token."}}, "token"),
    }


def codes(meanings: Mapping[Any, str]) -> Schema:
    """Return the schema of codes, each with its meaning."""
    options = [{"const": code, "description": text} for code, text in meanings.items()]
    return {"type": "string", "oneOf": options}


def _paths(name: str, pattern: str) -> Schema:
    items = {"type": "string", "pattern": pattern}
    return {
        "type": "array",
        "items": items,
        "minItems": 1,
        "description": f"Paths as in `{name}`.",
    }


def _object(properties: Mapping[str, Any], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _without_titles(value: Any) -> Any:
    """Return a schema without the titles that pydantic makes from names."""
    match value:
        case dict():
            kept = {name: _without_titles(item) for name, item in value.items()}
            if isinstance(kept.get("title"), str):
                del kept["title"]
            return kept
        case list():
            return [_without_titles(item) for item in value]
        case _:
            return value
