"""Every error that sdrest tells a client, each with its stable code, declared once.

A `RequestError` is the answer to a request; it knows nothing of HTTP (`sdrest.web.responses.errors`
gives the status). A `Failure` is the reason why a job FAILED; it is stored and shown with the job.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, ClassVar


@unique
class ErrorCode(StrEnum):
    """Codes of refused requests."""

    MALFORMED_REQUEST = "malformed_request"
    UNAUTHORIZED = "unauthorized"
    FOREIGN_ORIGIN = "foreign_origin"
    UNKNOWN_HOST = "unknown_host"
    NOT_FOUND = "not_found"
    GONE = "gone"
    CONFLICT = "conflict"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    EXPECTATION_FAILED = "expectation_failed"
    INVALID_REQUEST = "invalid_request"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    QUEUE_FULL = "queue_full"
    STOPPING = "stopping"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL = "internal"


@unique
class FailureCode(StrEnum):
    """Codes of failed jobs."""

    SCRIPT_FAILED = "script_failed"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_RESOURCES = "out_of_resources"
    TIMEOUT = "timeout"
    STALLED = "stalled"
    KILLED = "killed"
    IMAGES_MISSING = "images_missing"
    MODEL_MISSING = "model_missing"
    MODEL_INVALID = "model_invalid"
    REPOSITORY_MISSING = "repository_missing"
    SCRIPT_MISSING = "script_missing"
    PYTHON_MISSING = "python_missing"
    IMPORT_FAILED = "import_failed"
    STORAGE_FAILED = "storage_failed"
    INTERNAL = "internal"


class SdrestError(Exception):
    """An error of sdrest. `default_message` is its text where none is given."""

    default_message: ClassVar[str] = "sdrest failed."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default_message)

    @property
    def message(self) -> str:
        """One or two sentences for a person."""
        return str(self)


class UsageError(SdrestError):
    """The command cannot run like this."""

    default_message = "The server cannot start like this."


class RequestError(SdrestError):
    """A request that is answered with an error.

    `details` is what a program may want to know besides the code; JSON values only.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.details = details

    def add_hint(self, sentence: str) -> None:
        """Add a sentence to the message."""
        self.args = (f"{self.message} {sentence}",)


class MalformedRequestError(RequestError):
    """The body cannot be read."""

    code = ErrorCode.MALFORMED_REQUEST
    default_message = "The request's body cannot be read."


class UnauthorizedError(RequestError):
    """The token is missing or wrong."""

    code = ErrorCode.UNAUTHORIZED
    default_message = "This server wants its token: Authorization: Bearer TOKEN."


class ForeignOriginError(RequestError):
    """A page of another origin sends the request."""

    code = ErrorCode.FOREIGN_ORIGIN
    default_message = (
        "Pages of other origins may not use this address, unless --cors-origin names them."
    )


class UnknownHostError(RequestError):
    """The Host header does not name this server."""

    code = ErrorCode.UNKNOWN_HOST
    default_message = (
        "This is no name of the server. Behind a proxy, give it the name by --cors-origin."
    )


class NotFoundError(RequestError):
    """The address does not exist."""

    code = ErrorCode.NOT_FOUND
    default_message = "There is nothing at this address."


class GoneError(RequestError):
    """The address is that of a deleted job."""

    code = ErrorCode.GONE
    default_message = "The job was deleted. Send its request again to run it anew."


class ConflictError(RequestError):
    """The job's status does not allow the request."""

    code = ErrorCode.CONFLICT
    default_message = "The job is not in a state that allows this."


class TooLargeError(RequestError):
    """A body, a field or an upload exceeds its limit."""

    code = ErrorCode.TOO_LARGE
    default_message = "The request is too large."


class UnsupportedMediaTypeError(RequestError):
    """The body has another media type."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE
    default_message = "A body is JSON, urlencoded or multipart."


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, as a sentence that says what would be right."""

    field: str
    message: str


class InvalidRequestError(RequestError):
    """Fields of the request are wrong."""

    code = ErrorCode.INVALID_REQUEST
    default_message = "Some fields of the request are wrong."

    def __init__(self, fields: Iterable[FieldError]) -> None:
        self.fields = tuple(fields)
        super().__init__(
            " ".join(f"{error.field}: {error.message}" for error in self.fields),
            fields=[{"field": error.field, "message": error.message} for error in self.fields],
        )


class QueueFullError(RequestError):
    """As many jobs wait as `--max-queue` allows."""

    code = ErrorCode.QUEUE_FULL
    default_message = "The queue is full."

    def __init__(self, *, limit: int, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"{limit} jobs are waiting already. Try again in {retry_after} seconds.",
            limit=limit,
            retryAfter=retry_after,
        )


class StoppingError(RequestError):
    """The server accepts no more jobs."""

    code = ErrorCode.STOPPING
    default_message = "The server is stopping."


class StorageUnavailableError(RequestError):
    """The output folder cannot be written."""

    code = ErrorCode.STORAGE_UNAVAILABLE
    default_message = (
        "The server cannot write to its output folder now. Nothing of this request was kept."
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job FAILED: a code, and a message that says what to do.

    `details` (JSON values) may hold `exitCode`, `signal` and `stderr`, the script's last lines, or
    `missingImages`, the numbers of listed images whose files are gone. `path` is what is missing or
    wrong on this machine; it is neither stored nor sent to clients.
    """

    code: FailureCode
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False)

    @property
    def local_message(self) -> str:
        """The message with the path: for the server's own log and the terminal."""
        return f"{self.message} (Path: {self.path})" if self.path else self.message


def out_of_resources(error: OSError) -> Failure:
    """Return the failure of a task for which the machine has no more files or processes."""
    return Failure(
        FailureCode.OUT_OF_RESOURCES,
        f"The machine allows no more files or processes ({error.strerror}). Send the request "
        "again; if that does not help, raise the limits (ulimit -n, ulimit -u).",
    )


def picture_failure(error: Exception) -> Failure:
    """Return the failure of a task whose pictures cannot be read, made or written."""
    reason = getattr(error, "strerror", None) or "no picture"
    full = getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    remedy = (
        "Make room on the disk of the output folder"
        if full
        else "See that the output folder can be written, and what `sdrest doctor` says of it"
    )
    return Failure(
        FailureCode.STORAGE_FAILED,
        f"The pictures of the task could not be read or written ({reason}). {remedy}.",
    )
