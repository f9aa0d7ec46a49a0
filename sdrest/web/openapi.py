"""The API's description in OpenAPI 3.1, made from what is declared elsewhere. Pure."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from sdrest import __version__
from sdrest.errors import ErrorCode, FailureCode, FieldError, InvalidRequestError
from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status
from sdrest.params import MODELS, JobType
from sdrest.web.access import audience
from sdrest.web.errors import MEANINGS, STATUS
from sdrest.web.operations import OPERATIONS, Answer, Operation
from sdrest.web.render import job_entry

_ALWAYS = (ErrorCode.UNKNOWN_HOST, ErrorCode.INTERNAL, ErrorCode.STORAGE_UNAVAILABLE)
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded", "application/json")
_ID = "63dbe45efdadad3006feb71aa3e48b7d"
_STRING = {"type": "string"}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_PATH_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "examples": [_ID]},
    "number": {"type": "integer", "minimum": 1, "maximum": 999_999, "examples": [1]},
    "file": {"type": "string", "examples": ["theme.css"]},
}


def document() -> dict[str, Any]:
    """Return the description."""
    paths: dict[str, dict[str, Any]] = {}
    for name, operation in OPERATIONS.items():
        method, path = name.split(" ")
        for job_type in JobType if "/TYPE" in path else (None,):
            place = path.replace("TYPE", job_type or "")
            place = f"{place}/{{file}}" if place == "/static" else place
            described = _operation(method, path, operation, job_type)
            described["parameters"][:0] = _path_parameters(place)
            paths.setdefault(place, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sdrest",
            "version": __version__,
            "description": "Stable Diffusion as a REST API. HEAD is answered where GET is.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(
    method: str, path: str, operation: Operation, job_type: JobType | None
) -> dict[str, Any]:
    whom = audience(method, path)
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [job_type or "server"],
        "security": [{"token": []}, {}] if whom.token else [],
        "parameters": [
            {
                "name": parameter.name,
                "in": parameter.place,
                "description": parameter.text,
                "schema": dict(parameter.schema),
            }
            for parameter in operation.parameters
        ],
    }
    if operation.body:
        described["requestBody"] = _body(operation.body, job_type)
    codes = {*operation.errors, *_ALWAYS}
    if whom.token:
        codes.add(ErrorCode.UNAUTHORIZED)
    if not whom.foreign:
        codes.add(ErrorCode.FOREIGN_ORIGIN)
    described["responses"] = _responses(operation.answers, codes)
    return described


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name, schema in _PATH_PARAMETERS.items():
        if f"{{{name}}}" in path:
            yield {"name": name, "in": "path", "required": True, "schema": dict(schema)}


def _body(name: str, job_type: JobType | None) -> dict[str, Any]:
    schema = _ref(name if job_type is None else MODELS[job_type].__name__)
    if job_type is None:
        return {"required": True, "content": {"application/json": {"schema": schema}}}
    if not job_type.uploads:
        return {"required": True, "content": {form: {"schema": schema} for form in _FORMS}}
    binary = {"type": "string", "format": "binary", "contentMediaType": "image/*"}
    uploads = {
        "type": "object",
        "required": list(job_type.uploads),
        "properties": dict.fromkeys(job_type.uploads, binary),
    }
    return {"required": True, "content": {_FORMS[0]: {"schema": {"allOf": [schema, uploads]}}}}


def _responses(answers: Mapping[HTTPStatus, Answer], codes: set[ErrorCode]) -> dict[str, Any]:
    found = {str(status.value): _answer(answer) for status, answer in answers.items()}
    for code in (code for code in ErrorCode if code in codes):
        status = str(STATUS[code].value)
        response = found.setdefault(status, {"description": ""})
        response["description"] = f"{response['description']} {MEANINGS[code]}".strip()
        media = response.setdefault("content", {}).setdefault("application/json", {})
        error = _ref("Error")
        schema = media.get("schema", error)
        media["schema"] = schema if schema == error else {"anyOf": [schema, error]}
        media.setdefault("examples", {})[code] = {"value": error_example(code)}
    return dict(sorted(found.items()))


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.text}
    if answer.headers:
        described["headers"] = {name: {"schema": _STRING} for name in answer.headers}
    if answer.schema:
        examples = {name: {"value": value} for name, value in EXAMPLES[answer.schema].items()}
        media = {"schema": _ref(answer.schema), "examples": examples}
        described["content"] = {answer.media_type: media}
    elif answer.media_type:
        described["content"] = {answer.media_type: {}}
    return described


def error_example(code: ErrorCode) -> dict[str, Any]:
    """Return an answer with the code."""
    message, details = MEANINGS[code], {}
    if code is ErrorCode.INVALID_REQUEST:
        error = InvalidRequestError([FieldError("prompt", "Is required.")])
        message, details = error.message, error.details
    return {"error": {"code": code, "message": message, "details": details}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def _error(codes: list[str]) -> dict[str, Any]:
    code = {"type": "string", "enum": codes}
    return _object({"code": code, "message": _STRING, "details": {"type": "object"}})


def _schemas() -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    for model in MODELS.values():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    fraction = {"type": "number", "minimum": 0, "maximum": 1}
    count = {"type": "integer", "minimum": 0}
    progress = _object(
        {"currentImageIndex": count, "currentImageProgress": fraction, "totalImages": count}
    )
    job = {
        "status": {"type": "string", "enum": [*Status]},
        "resultUrl": _STRING,
        "position": {"type": "integer", "minimum": 1},
        "progress": progress,
        "imageUrls": {"type": "array", "items": _STRING},
        "seed": {"type": "integer"},
        "error": _error([*FailureCode]),
    }
    more = {
        "id": _STRING,
        "type": {"type": "string", "enum": [*JobType]},
        "createdAt": _TIME,
        "startedAt": _TIME,
        "finishedAt": _TIME,
        "params": {"type": "object"},
    }
    codes = [*FailureCode, ErrorCode.STOPPING, ErrorCode.STORAGE_UNAVAILABLE]
    problem = _object({"code": {"type": "string", "enum": codes}, "message": _STRING})
    return schemas | {
        "Job": _object(job, "position", "progress", "imageUrls", "seed", "error"),
        "Entry": _object(job | more, "position", "progress", "imageUrls", "error"),
        "Jobs": _object(
            {
                "counts": {"type": "object", "additionalProperties": count},
                "jobs": {"type": "array", "items": _ref("Entry")},
                "nextCursor": {"type": ["string", "null"]},
            }
        ),
        "Error": _object({"error": _error([*ErrorCode])}),
        "Health": _object({"status": {"const": "ok"}}),
        "Readiness": _object(
            {
                "engine": _object(
                    {"kind": {"enum": ["bundled", "repository"]}, "message": _STRING}
                ),
                "problems": {"type": "array", "items": problem},
                "status": {"enum": ["ready", "not ready"]},
                "usable": {"type": "array", "items": {"enum": [*JobType]}},
            }
        ),
        "Session": _object({"token": _STRING}, "token"),
    }


def _example(status: Status) -> dict[str, Any]:
    """Return an answer as the server itself would write it."""
    ended = 1_760_000_012.5 if status.final else None
    job = Job(
        key=JobKey(JobType.TEXT_TO_IMAGE, _ID),
        status=status,
        params={"prompt": "a red fox in the snow", "seed": 42},
        total_images=1,
        images=int(status is Status.COMPLETE),
        seed=42,
        attempts=1,
        created_at=1_760_000_000.0,
        started_at=1_760_000_000.5,
        finished_at=ended,
    )
    rank = 1 if status is Status.QUEUED else None
    return job_entry(Snapshot(job, Position(1, 0.25), rank))


def _short(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = ("imageUrls", "position", "progress", "resultUrl", "status")
    return {name: entry[name] for name in names if name in entry}


_JOBS = {
    status: _example(status) for status in (Status.QUEUED, Status.IN_PROGRESS, Status.COMPLETE)
}

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "Job": {status: _short(entry) for status, entry in _JOBS.items()},
    "Jobs": {
        "last": {
            "counts": {status: int(status in _JOBS) for status in Status},
            "jobs": [*_JOBS.values()],
            "nextCursor": None,
        }
    },
    "Health": {"alive": {"status": "ok"}},
    "Readiness": {
        "ready": {
            "engine": {"kind": "repository", "message": "Jobs run in the repository."},
            "problems": [],
            "status": "ready",
            "usable": [*JobType],
        }
    },
}
"""Answers, by the name of their shape and a name of their own."""
