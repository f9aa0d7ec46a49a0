"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`.

The SDKs show `message` alone, and retry 409, 429 and 500 unless `x-should-retry` is false.
"""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import hdrs, web

from sdrest.errors import ErrorCode, Failure
from sdrest.web.dialects.openai.requests import REQUIRED
from sdrest.web.dialects.openai.schemas import ErrorBody, ErrorContent
from sdrest.web.responses.errors import ErrorResponse
from sdrest.web.route import ErrorShape

OPENAI_PATHS = ("/v1/", "/images/")
"""The starts of the dialect's paths."""

SHOULD_RETRY = "x-should-retry"

_INVALID = "invalid_request_error"
_SERVER = "server_error"
SHAPE = ErrorShape("OpenAIErrorBody", {HTTPStatus.UNPROCESSABLE_ENTITY: HTTPStatus.BAD_REQUEST})
_KEPT = (hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE, hdrs.ALLOW)
_CODES: Mapping[ErrorCode, str | None] = {
    ErrorCode.MALFORMED_REQUEST: None,
    ErrorCode.UNAUTHORIZED: "invalid_api_key",
    ErrorCode.NOT_FOUND: None,
    ErrorCode.QUEUE_FULL: "rate_limit_exceeded",
}

MODEL_NOT_FOUND = "model_not_found"

_WRONG_KEY = "The API key is missing or wrong: it is this server's token."


def error_response(refused: ErrorResponse) -> web.Response:
    """Return the same error in OpenAI's shape."""
    status = SHAPE.statuses.get(HTTPStatus(refused.status), HTTPStatus(refused.status))
    headers = {str(name): refused.headers[name] for name in _KEPT if name in refused.headers}
    content = _content(refused, status)
    return _response(status, content, headers)


def failure_content(failure: Failure | None) -> ErrorContent:
    """Return why a job made no picture; None: it was cancelled."""
    if failure is None:
        return ErrorContent(
            message="The job was cancelled.", type=_SERVER, param=None, code="cancelled"
        )
    return ErrorContent(message=failure.message, type=_SERVER, param=None, code=failure.code)


def failure_response(failure: Failure | None) -> web.Response:
    """Return the answer for a job that failed or was cancelled; a retry would do so again."""
    headers = {SHOULD_RETRY: "false"}
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, failure_content(failure), headers)


def content_of(refused: ErrorResponse) -> ErrorContent:
    """Return an error as a part of a stream, whose status is sent already."""
    return _content(refused, HTTPStatus(refused.status))


def _content(refused: ErrorResponse, status: HTTPStatus) -> ErrorContent:
    fields = refused.details.get("fields", ())
    param, message, code = None, refused.message, _CODES.get(refused.code, refused.code.value)
    if refused.code is ErrorCode.UNAUTHORIZED:
        message = _WRONG_KEY
    if len(fields) == 1:
        message = f"{fields[0]['field']}: {fields[0]['message']}"
    if fields:
        param = fields[0]["field"]
        missing = fields[0]["message"].startswith(REQUIRED.removesuffix("."))
        code = "missing_required_parameter" if missing else "invalid_value"
    if "model" in refused.details:
        param, code = "model", MODEL_NOT_FOUND
    kind = _SERVER if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _INVALID
    if refused.code is ErrorCode.QUEUE_FULL:
        kind = "rate_limit_error"
    return ErrorContent(message=message, type=kind, param=param, code=code)


def _response(
    status: HTTPStatus, content: ErrorContent, headers: Mapping[str, str]
) -> web.Response:
    return web.Response(
        status=status,
        body=ErrorBody(error=content).encode(),
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store", **headers},
    )
