"""Errors as JSON: `{"error": {"code", "message", "details"}}`.

The only module that maps error codes to HTTP statuses.
"""

import errno
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from aiohttp import hdrs, web

from sdrest.errors import (
    ErrorCode,
    FailureCode,
    QueueFullError,
    RequestError,
    UnauthorizedError,
)
from sdrest.jobs.space import storage_error
from sdrest.web.requests.proxy import prefix, with_prefix
from sdrest.web.responses.json_response import HEADERS
from sdrest.web.responses.render import error_body
from sdrest.web.route import Handler

_log = logging.getLogger(__name__)

STATUS: Mapping[ErrorCode, HTTPStatus] = {
    ErrorCode.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.FOREIGN_ORIGIN: HTTPStatus.FORBIDDEN,
    ErrorCode.UNKNOWN_HOST: HTTPStatus.MISDIRECTED_REQUEST,
    ErrorCode.NO_PREVIEW: HTTPStatus.NOT_FOUND,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.GONE: HTTPStatus.GONE,
    ErrorCode.CONFLICT: HTTPStatus.CONFLICT,
    ErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ErrorCode.PRECONDITION_FAILED: HTTPStatus.PRECONDITION_FAILED,
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.EXPECTATION_FAILED: HTTPStatus.EXPECTATION_FAILED,
    ErrorCode.RANGE_NOT_SATISFIABLE: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    ErrorCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.QUEUE_FULL: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    ErrorCode.STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORAGE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

MEANINGS: Mapping[ErrorCode, str] = {
    ErrorCode.MALFORMED_REQUEST: "The request cannot be read: invalid HTTP, JSON or form.",
    ErrorCode.UNAUTHORIZED: "The request does not send the server's token.",
    ErrorCode.FOREIGN_ORIGIN: "The page's origin is not allowed; `--cors-origin` allows one.",
    ErrorCode.UNKNOWN_HOST: "Unrecognised `Host` header; `--cors-origin` adds one.",
    ErrorCode.NO_PREVIEW: "The job has no preview now.",
    ErrorCode.NOT_FOUND: "The job, image or address does not exist.",
    ErrorCode.GONE: "The job was deleted; its request can be submitted again.",
    ErrorCode.CONFLICT: "The job's status does not allow this.",
    ErrorCode.METHOD_NOT_ALLOWED: "The address does not take this method; `Allow` has a list.",
    ErrorCode.PRECONDITION_FAILED: "The image is not the one that `If-Match` names.",
    ErrorCode.TOO_LARGE: "The body, a field or an upload is too large.",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON, urlencoded or multipart.",
    ErrorCode.EXPECTATION_FAILED: "`Expect` has a value other than `100-continue`.",
    ErrorCode.INVALID_REQUEST: "Fields are invalid; `details.fields` has a sentence for each.",
    ErrorCode.RANGE_NOT_SATISFIABLE: "The range is outside the image.",
    ErrorCode.QUEUE_FULL: "Too many jobs are waiting; `Retry-After` says when to try again.",
    ErrorCode.STOPPING: "The server is stopping.",
    ErrorCode.STORAGE_UNAVAILABLE: "The output folder cannot be written; nothing was stored.",
    ErrorCode.INTERNAL: "Internal server error; see the server log.",
}
"""What each code means, for the API's description and the README."""

FAILURES: Mapping[FailureCode, str] = {
    FailureCode.SCRIPT_FAILED: "The script failed; `details.stderr` has its last lines.",
    FailureCode.OUT_OF_MEMORY: "The script ran out of memory; the message says what needs less.",
    FailureCode.OUT_OF_RESOURCES: "The machine allows no more files or processes.",
    FailureCode.TIMEOUT: "The job took longer than `--job-timeout`.",
    FailureCode.STALLED: "The script wrote nothing for `--stall-timeout`.",
    FailureCode.KILLED: "The script was killed by a signal.",
    FailureCode.IMAGES_MISSING: (
        "The script made fewer images than asked for, or images were deleted from the output "
        "folder."
    ),
    FailureCode.MODEL_MISSING: "The checkpoint or another model is missing.",
    FailureCode.MODEL_INVALID: "A model is damaged or does not fit the script.",
    FailureCode.REPOSITORY_MISSING: "The repository is missing.",
    FailureCode.SCRIPT_MISSING: "The repository lacks the script or its configuration.",
    FailureCode.PYTHON_MISSING: "The Python to run the script is missing or does not start.",
    FailureCode.IMPORT_FAILED: "The script's Python lacks a package.",
    FailureCode.STORAGE_FAILED: "The output folder cannot be written.",
    FailureCode.NO_WORKER: "No machine of the cluster can run the job, or each one was lost.",
    FailureCode.INTERNAL: "Internal server error; see the server log.",
}
"""What the codes of failed jobs mean."""

_CODES = {status: code for code, status in STATUS.items()}
"""The code of a bare status: the last one of `STATUS` that has it."""

_MESSAGES = {
    ErrorCode.EXPECTATION_FAILED: "Unsupported Expect header. Send 100-continue or none.",
    ErrorCode.FOREIGN_ORIGIN: "The page's origin is not allowed. Allow it with --cors-origin.",
    ErrorCode.NOT_FOUND: "There is nothing at this address.",
    ErrorCode.INTERNAL: "Internal server error; see the server log.",
}

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a machine without free files or disk space: not bugs of the server."""


class PreconditionFailedError(RequestError):
    """The image does not match If-Match or If-Unmodified-Since."""

    code = ErrorCode.PRECONDITION_FAILED
    default_message = "The image is not the one that If-Match or If-Unmodified-Since names."


class RangeNotSatisfiableError(RequestError):
    """The range is outside the image."""

    code = ErrorCode.RANGE_NOT_SATISFIABLE
    default_message = "The requested range is outside the image."


class ErrorResponse(web.Response):
    """The answer to a refused request, with the code, message and details that its body has."""

    def __init__(
        self,
        status: HTTPStatus,
        code: ErrorCode,
        message: str,
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.code, self.message, self.details = code, message, details
        super().__init__(status=status, body=error_body(code, message, details), headers=HEADERS)


ERROR_SHAPES = web.AppKey[Mapping[str, Callable[[ErrorResponse], web.Response]]](
    "error_shapes", Mapping
)
"""What rewrites errors in the shape of a dialect, by the start of its paths, e.g. `/v1/`."""


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler, or aiohttp itself, raises, in the shape of the path's dialect."""
    response = await _respond(request, handler)
    if isinstance(response, ErrorResponse):
        for start, rewrite in request.app.get(ERROR_SHAPES, {}).items():
            if f"{request.path}/".startswith(start):
                return rewrite(response)
    return response


async def _respond(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as error:
        return request_error_response(error, prefix(request))
    except web.HTTPException as error:
        return http_error_response(error)
    except ConnectionError:  # the client has gone, and will not see this
        return status_response(HTTPStatus.BAD_REQUEST)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is logged)
        return _mistake(request, error)


def _mistake(request: web.Request, error: Exception) -> ErrorResponse:
    """Log an unexpected error, and answer without its details."""
    name = f"{request.method} {request.rel_url.raw_path}"
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        _log.warning("%s: %s", name, error.strerror)
        return request_error_response(storage_error(error))
    _log.error("%s failed", name, exc_info=error)
    return status_response(HTTPStatus.INTERNAL_SERVER_ERROR)


def request_error_response(error: RequestError, prefix: str = "") -> ErrorResponse:
    """Return the answer that says what is wrong with a request; paths begin with `prefix`."""
    message = with_prefix(error.message, prefix)
    response = ErrorResponse(STATUS[error.code], error.code, message, error.details)
    if isinstance(error, QueueFullError):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    elif isinstance(error, UnauthorizedError):
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="sdrest"'
    return response


def status_response(status: HTTPStatus, message: str | None = None) -> ErrorResponse:
    """Return the answer for a bare HTTP status."""
    code = _CODES.get(status)
    if code is None:
        code = ErrorCode.MALFORMED_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else (
            ErrorCode.INTERNAL
        )  # fmt: skip
    return ErrorResponse(status, code, message or _MESSAGES.get(code, status.description))


def http_error_response(error: web.HTTPException) -> ErrorResponse:
    """Keep the status and the headers that matter of an error that aiohttp raises."""
    message = None
    if isinstance(error, web.HTTPMethodNotAllowed):
        message = f"Allowed here: {', '.join(sorted(error.allowed_methods))}."
    response = status_response(HTTPStatus(error.status), message)
    for name in (hdrs.ALLOW, hdrs.LOCATION):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response
