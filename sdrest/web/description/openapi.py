"""The API's description in OpenAPI 3.1, made from what is declared elsewhere. Pure.

`web/routes/` declares the routes; bodies, answers and examples are those of `bodies.py`,
`schemas.py` and `examples.py`.
"""

import re
from collections.abc import Iterable, Iterator
from http import HTTPMethod, HTTPStatus
from itertools import groupby
from typing import Any

from sdrest import __version__
from sdrest.errors import ErrorCode
from sdrest.job_types import JobType
from sdrest.web.description import bodies, schemas
from sdrest.web.description.a1111_schemas import schemas as a1111_schemas
from sdrest.web.description.examples import (
    EXAMPLES,
    JSON_REQUEST,
    REQUESTS,
    curl,
    error_example,
)
from sdrest.web.description.openai_bodies import schemas as openai_schemas
from sdrest.web.description.openapi_parts import (
    DESCRIPTION,
    PATH_PARAMETERS,
    SCHEMES,
    TAGS,
)
from sdrest.web.description.openapi_prefix import under_prefix
from sdrest.web.description.preflight import preflight
from sdrest.web.description.schemas import ref
from sdrest.web.responses.errors import MEANINGS, STATUS
from sdrest.web.route import TYPE, ErrorShape, Parameter, ResponseSpec, Route

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

ALWAYS = (
    ErrorCode.MALFORMED_REQUEST,
    ErrorCode.UNKNOWN_HOST,
    ErrorCode.EXPECTATION_FAILED,
    ErrorCode.INTERNAL,
    ErrorCode.STORAGE_UNAVAILABLE,
)
"""What every route may answer."""

_HEADERS = {
    ErrorCode.UNAUTHORIZED: "WWW-Authenticate",
    ErrorCode.QUEUE_FULL: "Retry-After",
    ErrorCode.RANGE_NOT_SATISFIABLE: "Content-Range",
    ErrorCode.METHOD_NOT_ALLOWED: "Allow",
}
"""The header that an error comes with."""

Described = dict[str, Any]


def document(routes: Iterable[Route], *, locked: bool = False, prefix: str = "") -> Described:
    """Return the description of a server that has a token (`locked`) or none.

    `prefix` is before every path, as the server's address and in answers.
    """
    operations = [item for route in routes if route.summary for item in (route, *preflight(route))]
    errors = dict(_error_responses(operations))
    paths: dict[str, Described] = {}
    for route in operations:
        for job_type in JobType if route.path.startswith(TYPE) else (None,):
            at = paths.setdefault(route.path.replace(TYPE, f"/{job_type}"), {})
            at[route.method.lower()] = _operation(route, job_type, locked=locked)
            if route.method == HTTPMethod.GET:
                at["head"] = _head(at["get"], errors)
    described: Described = {
        "openapi": "3.1.0",
        "info": {
            "title": "sdrest",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": prefix or "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": bodies.schemas() | openai_schemas() | a1111_schemas() | schemas.schemas(),
            "responses": errors,
            "headers": dict(schemas.HEADERS),
            "securitySchemes": SCHEMES,
        },
    }
    return under_prefix(described, prefix) if prefix else described


def operation_id(method: str, path: str, job_type: JobType | None) -> str:
    """Return the name of an operation for programs, e.g. `getTextToImageJobEvents`."""
    place = path.replace(TYPE, f"/{job_type}").replace("{id}", "job").replace("{number}", "")
    words = re.findall("[a-z]+", place) or ["page"]
    return method.lower() + "".join(word.title() for word in words)


def _operation(route: Route, job_type: JobType | None, *, locked: bool) -> Described:
    described: Described = {
        "operationId": operation_id(route.method, route.path, job_type),
        "summary": route.summary,
        "tags": [job_type or route.tag or "server"],
        "security": [],
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
    }
    if route.text:
        described["description"] = route.text
    if route.body:
        described["requestBody"] = {"required": True, "content": _body(route, job_type)}
    if route.body and job_type is not None:
        described["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": curl(job_type)}]
    codes = {*ALWAYS, *route.errors}
    if route.access.token:
        codes.add(ErrorCode.UNAUTHORIZED)
        schemes: list[Described] = [
            {name: []} for name in SCHEMES if name != "basic" or route.access.basic
        ]
        described["security"] = schemes if locked else [*schemes, {}]
    if not route.access.foreign:
        codes.add(ErrorCode.FOREIGN_ORIGIN)
    described["responses"] = _responses(route, codes)
    for status, response in route.responses.items():
        links = dict(_links(response.links, job_type))
        if links:
            described["responses"][str(status.value)]["links"] = links
    return described


def _head(get: Described, errors: Described) -> Described:
    """Return the HEAD of a GET: the same without bodies."""
    head = get | {
        "operationId": get["operationId"].replace("get", "head", 1),
        "summary": f"{get['summary']} (headers alone)",
        "responses": {},
    }
    for status, response in get["responses"].items():
        found = errors[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        kept = {"description", "headers"} & found.keys()
        head["responses"][status] = {key: found[key] for key in sorted(kept)}
    return head


def _path_parameters(path: str) -> Iterator[Described]:
    for name, parameter in PATH_PARAMETERS.items():
        if f"{{{name}}}" in path:
            yield {"name": name, "in": "path", "required": True, **parameter}


def _parameter(parameter: Parameter) -> Described:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.text,
        "schema": dict(parameter.schema),
    }


def _body(route: Route, job_type: JobType | None) -> Described:
    if job_type is None:
        media: Described = {"schema": ref(route.body)}
        if route.body_type == bodies.MULTIPART_TYPE:
            fields = openai_schemas()[route.body]["properties"]
            files = [name for name, field in fields.items() if field.get("format") == "binary"]
            media = bodies.multipart(route.body, files)
        if route.body in EXAMPLES:
            media["examples"] = _examples(route.body)
        return {route.body_type: media}
    content = dict(bodies.content(job_type))
    if not job_type.uploads:  # files are not JSON values: `x-codeSamples` has them
        for media_type, media in content.items():
            value: Any = JSON_REQUEST if media_type == JSON else REQUESTS[job_type]
            content[media_type] = media | {"examples": {"landscape": {"value": value}}}
    return content


def _responses(route: Route, codes: set[ErrorCode]) -> Described:
    found = {status: _answer(answer) for status, answer in route.responses.items()}
    if route.error_shape is not None:
        found |= _errors_of(route.error_shape, codes)
        codes = set()
    for status, group in _by_status(codes):
        if status not in found:
            found[status] = {"$ref": f"#/components/responses/{_name(group)}"}
            continue
        mixed, error = found[status], _error_response(group)
        mixed["description"] += f" Or: {error['description']}"
        ours, theirs = mixed["content"][JSON], error["content"][JSON]
        ours["schema"] = {"anyOf": [ours["schema"], theirs["schema"]]}
        ours["examples"] |= theirs["examples"]
    return {str(status.value): found[status] for status in sorted(found)}


def _errors_of(shape: ErrorShape, codes: set[ErrorCode]) -> dict[HTTPStatus, Described]:
    """Return the errors of a dialect by status."""
    texts: dict[HTTPStatus, str] = {}
    for code in sorted(codes, key=[*STATUS].index):
        status = shape.statuses.get(STATUS[code], STATUS[code])
        texts[status] = f"{texts.get(status, '')} {MEANINGS[code]}".strip()
    return {
        status: _answer(ResponseSpec(text, JSON, shape.schema)) for status, text in texts.items()
    }


def _by_status(codes: Iterable[ErrorCode]) -> Iterator[tuple[HTTPStatus, list[ErrorCode]]]:
    ordered = sorted(codes, key=[*STATUS].index)
    for status, group in groupby(sorted(ordered, key=STATUS.__getitem__), STATUS.__getitem__):
        yield status, list(group)


def _name(group: Iterable[ErrorCode]) -> str:
    return "Or".join(code.title().replace("_", "") for code in group)


def _error_responses(operations: Iterable[Route]) -> Iterator[tuple[str, Described]]:
    """Yield the answers to refused requests that operations share, by their names."""
    for operation in operations:
        if operation.error_shape is not None:
            continue
        extra = {ErrorCode.UNAUTHORIZED, ErrorCode.FOREIGN_ORIGIN}
        for _, group in _by_status({*operation.errors, *ALWAYS, *extra}):
            yield _name(group), _error_response(group)


def _error_response(group: list[ErrorCode]) -> Described:
    only = {"properties": {"error": {"properties": {"code": {"enum": list(group)}}}}}
    response: Described = {
        "description": " ".join(MEANINGS[code] for code in group),
        "content": {
            JSON: {
                "schema": {"allOf": [ref("Error"), only]},
                "examples": {code: {"value": error_example(code)} for code in group},
            }
        },
    }
    if len(group) == 1 and group[0] in _HEADERS:
        response["headers"] = _headers([_HEADERS[group[0]]])
    return response


def _headers(names: Iterable[str]) -> Described:
    """Return headers as described; one that may be missing has its own description."""
    return {
        name: {"required": name not in schemas.SOMETIMES, **schemas.HEADERS[name]} for name in names
    }


def _answer(answer: ResponseSpec) -> Described:
    described: Described = {"description": answer.text}
    if answer.headers:
        described["headers"] = _headers(answer.headers)
    if answer.media_type:
        media: Described = {}
        if answer.schema:
            media = {
                "schema": ref(answer.schema),
                "examples": _examples(answer.example or answer.schema),
            }
        described["content"] = {name: dict(media) for name in answer.media_type.split(", ")}
    if answer.stream:
        stream = {"schema": ref(answer.stream), "examples": _examples(answer.stream)}
        described["content"][EVENT_STREAM] = stream
    return described


def _examples(name: str) -> Described:
    if name not in EXAMPLES:
        raise LookupError(f"`EXAMPLES` in examples.py has no example of {name}.")
    return {title: {"value": value} for title, value in EXAMPLES[name].items()}


def _links(names: Iterable[str], job_type: JobType | None) -> Iterator[tuple[str, Described]]:
    for name in names:
        method, path = name.split(" ")
        target = operation_id(method, path, job_type)
        parameters: Described = {"id": "$request.path.id"}
        if "{number}" in path:
            parameters["number"] = "1"
        yield target, {"operationId": target, "parameters": parameters}
