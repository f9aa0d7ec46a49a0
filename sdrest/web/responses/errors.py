"""Every error becomes the same JSON: `{"error": {"code", "message", "details"}}`.

This is the only place that knows which HTTP status an error has.
"""

import errno
import logging
from collections.abc import Mapping
from http import HTTPStatus

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
from sdrest.web.responses.render import JSON, error_body
from sdrest.web.route import Handler

_log = logging.getLogger(__name__)

STATUS: Mapping[ErrorCode, HTTPStatus] = {
    ErrorCode.MALFORMED_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorCode.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.FOREIGN_ORIGIN: HTTPStatus.FORBIDDEN,
    ErrorCode.UNKNOWN_HOST: HTTPStatus.MISDIRECTED_REQUEST,
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
    ErrorCode.MALFORMED_REQUEST: "The request cannot be read: no valid HTTP, broken JSON or form.",
    ErrorCode.UNAUTHORIZED: "The server has a token, and the request does not send it.",
    ErrorCode.FOREIGN_ORIGIN: "A page of another origin may not do this; `--cors-origin` lets it.",
    ErrorCode.UNKNOWN_HOST: "The `Host` is no name of this machine; `--cors-origin` adds one.",
    ErrorCode.NOT_FOUND: "There is no such job, image or address.",
    ErrorCode.GONE: "The job was deleted; its request may be sent again.",
    ErrorCode.CONFLICT: "The job is not in a state that allows this.",
    ErrorCode.METHOD_NOT_ALLOWED: "The address does not take this method; `Allow` names those.",
    ErrorCode.PRECONDITION_FAILED: "The image is not the one that `If-Match` names.",
    ErrorCode.TOO_LARGE: "The body, a field or an upload is too large.",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON, urlencoded or multipart.",
    ErrorCode.EXPECTATION_FAILED: "`Expect` may say `100-continue`, and nothing else.",
    ErrorCode.INVALID_REQUEST: "Fields are wrong; `details.fields` has a sentence for each.",
    ErrorCode.RANGE_NOT_SATISFIABLE: "The range lies outside of the image.",
    ErrorCode.QUEUE_FULL: "Too many jobs wait; `Retry-After` says when to try again.",
    ErrorCode.STOPPING: "The server is stopping.",
    ErrorCode.STORAGE_UNAVAILABLE: "The output folder cannot be written; nothing was kept.",
    ErrorCode.INTERNAL: "A mistake of the server; its log has more.",
}
"""What each code means, for the API's description and the README."""

FAILURES: Mapping[FailureCode, str] = {
    FailureCode.SCRIPT_FAILED: "The script ended with an error; `details.stderr` has its end.",
    FailureCode.OUT_OF_MEMORY: "The memory did not suffice; the message says what needs less.",
    FailureCode.OUT_OF_RESOURCES: "No more files or processes may be opened on the machine.",
    FailureCode.TIMEOUT: "It took longer than `--job-timeout`.",
    FailureCode.STALLED: "The script wrote nothing for `--stall-timeout`.",
    FailureCode.KILLED: "A signal ended the script.",
    FailureCode.IMAGES_MISSING: (
        "The script made fewer images than asked for, or images were deleted from the output "
        "folder."
    ),
    FailureCode.MODEL_MISSING: "The checkpoint, or another model of the script, is not there.",
    FailureCode.MODEL_INVALID: "The checkpoint or another model is damaged or does not fit.",
    FailureCode.REPOSITORY_MISSING: "The repository is not there.",
    FailureCode.SCRIPT_MISSING: "The repository lacks the script or its configuration.",
    FailureCode.PYTHON_MISSING: "There is no Python to run the script.",
    FailureCode.IMPORT_FAILED: "The script's Python lacks a package.",
    FailureCode.STORAGE_FAILED: "The output folder cannot be written.",
    FailureCode.INTERNAL: "A mistake of the server; its log has more.",
}
"""What the codes of failed jobs mean."""

_CODES = {status: code for code, status in STATUS.items()}

_MESSAGES = {
    ErrorCode.EXPECTATION_FAILED: "Only 100-continue can be expected.",
    ErrorCode.FOREIGN_ORIGIN: "A page of another origin may not do this.",
    ErrorCode.NOT_FOUND: "There is nothing at this address.",
    ErrorCode.INTERNAL: "The server made a mistake; its log tells more.",
}

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a machine that has no more files or no more room; they pass."""


class PreconditionFailedError(RequestError):
    """The image does not match If-Match or If-Unmodified-Since."""

    code = ErrorCode.PRECONDITION_FAILED
    default_message = (
        "The image is not the one that the request's If-Match or If-Unmodified-Since names."
    )


class RangeNotSatisfiableError(RequestError):
    """The range lies outside of the image."""

    code = ErrorCode.RANGE_NOT_SATISFIABLE
    default_message = "The image has no such range of bytes."


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler, or aiohttp itself, raises."""
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


def _mistake(request: web.Request, error: Exception) -> web.Response:
    """Log an error that is not the client's; the client is told little of it."""
    name = f"{request.method} {request.rel_url.raw_path}"
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        _log.warning("%s: %s", name, error.strerror)
        return request_error_response(storage_error(error))
    _log.error("%s failed", name, exc_info=error)
    return status_response(HTTPStatus.INTERNAL_SERVER_ERROR)


def request_error_response(error: RequestError, prefix: str = "") -> web.Response:
    """Return the answer that says what is wrong with a request; paths begin with `prefix`."""
    message = with_prefix(error.message, prefix)
    response = _response(STATUS[error.code], error_body(error.code, message, error.details))
    if isinstance(error, QueueFullError):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after)
    elif isinstance(error, UnauthorizedError):
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="sdrest"'
    return response


def status_response(status: HTTPStatus, message: str | None = None) -> web.Response:
    """Return the answer for a bare HTTP status."""
    code = _CODES.get(status)
    if code is None:
        code = ErrorCode.MALFORMED_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else (
            ErrorCode.INTERNAL
        )  # fmt: skip
    return _response(status, error_body(code, message or _MESSAGES.get(code, status.description)))


def http_error_response(error: web.HTTPException) -> web.Response:
    """Keep the status and the headers that matter of an error that aiohttp raises."""
    message = None
    if isinstance(error, web.HTTPMethodNotAllowed):
        message = f"Allowed here: {', '.join(sorted(error.allowed_methods))}."
    response = status_response(HTTPStatus(error.status), message)
    for name in (hdrs.ALLOW, hdrs.LOCATION):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def _response(status: HTTPStatus, body: bytes) -> web.Response:
    headers = {hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=status, body=body, headers=headers)
