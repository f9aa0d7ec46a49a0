"""The errors that sdrest reports to clients, each with a stable code.

A `RequestError` answers a request; `sdrest.web.responses.errors` maps its code to an HTTP status. A
`Failure` is the reason why a job FAILED; it is stored and shown with the job.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path
from typing import Any, ClassVar, Self


@unique
class ErrorCode(StrEnum):
    """Codes of refused requests."""

    MALFORMED_REQUEST = "malformed_request"
    UNAUTHORIZED = "unauthorized"
    FOREIGN_ORIGIN = "foreign_origin"
    UNKNOWN_HOST = "unknown_host"
    NO_PREVIEW = "no_preview"
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
    NO_WORKER = "no_worker"
    INTERNAL = "internal"


class SdrestError(Exception):
    """An error of sdrest; without a message its text is `default_message`."""

    default_message: ClassVar[str] = "sdrest failed."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.default_message)

    @property
    def message(self) -> str:
        """One or two sentences for a person."""
        return str(self)


class UsageError(SdrestError):
    """A command's flags or its surroundings do not allow it to run."""

    default_message = "The server cannot start with these settings."


class RequestError(SdrestError):
    """A request that is answered with an error.

    `details` holds what a program may need besides the code, as JSON values.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, message: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.details = details

    def add_hint(self, sentence: str) -> None:
        """Append a sentence to the message."""
        self.args = (f"{self.message} {sentence}",)


class MalformedRequestError(RequestError):
    """The request or its body cannot be parsed."""

    code = ErrorCode.MALFORMED_REQUEST
    default_message = "The request body cannot be read."


class UnauthorizedError(RequestError):
    """The token is missing or wrong."""

    code = ErrorCode.UNAUTHORIZED
    default_message = "This server requires its token. Send it as Authorization: Bearer TOKEN."


class ForeignOriginError(RequestError):
    """A page of another origin sends the request."""

    code = ErrorCode.FOREIGN_ORIGIN
    default_message = "The page's origin is not allowed. Allow it with --cors-origin."


class UnknownHostError(RequestError):
    """The Host header does not name this server."""

    code = ErrorCode.UNKNOWN_HOST
    default_message = "Unrecognised Host header. Behind a proxy, add its origin with --cors-origin."


class NotFoundError(RequestError):
    """The address does not exist."""

    code = ErrorCode.NOT_FOUND
    default_message = "There is nothing at this address."


class NoPreviewError(RequestError):
    """The job has no preview now."""

    code = ErrorCode.NO_PREVIEW
    default_message = (
        "The job has no preview. Only a running job has one, from the first step of each image on."
    )


class GoneError(RequestError):
    """The address belongs to a deleted job."""

    code = ErrorCode.GONE
    default_message = "The job was deleted. Submit its request again to run it."


class ConflictError(RequestError):
    """The job's status does not allow the request."""

    code = ErrorCode.CONFLICT
    default_message = "The job's status does not allow this."


class TooLargeError(RequestError):
    """A body, a field or an upload exceeds its limit."""

    code = ErrorCode.TOO_LARGE
    default_message = "The request is too large."


class UnsupportedMediaTypeError(RequestError):
    """The body has another media type."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE
    default_message = "Unsupported media type. Send JSON, urlencoded or multipart."


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, in a sentence that says what is allowed."""

    field: str
    message: str


class InvalidRequestError(RequestError):
    """Fields of the request are invalid."""

    code = ErrorCode.INVALID_REQUEST
    default_message = "Some fields of the request are invalid."

    def __init__(self, fields: Iterable[FieldError]) -> None:
        self.fields = tuple(fields)
        super().__init__(
            " ".join(f"{error.field}: {error.message}" for error in self.fields),
            fields=[{"field": error.field, "message": error.message} for error in self.fields],
        )

    def renamed(self, names: Mapping[str, str]) -> Self:
        """Return the error with the fields' names in another dialect, where they differ."""
        return type(self)(
            FieldError(names.get(error.field, error.field), error.message) for error in self.fields
        )


def counted(number: int, noun: str) -> str:
    """Return "1 job", "2 jobs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class QueueFullError(RequestError):
    """As many jobs wait as `--max-queue` allows."""

    code = ErrorCode.QUEUE_FULL
    default_message = "The queue is full."

    def __init__(self, *, limit: int, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(
            f"{counted(limit, 'job')} {'is' if limit == 1 else 'are'} already waiting. "
            f"Try again in {counted(retry_after, 'second')}.",
            limit=limit,
            retryAfter=retry_after,
        )


class StoppingError(RequestError):
    """The server is stopping and accepts no more jobs."""

    code = ErrorCode.STOPPING
    default_message = "The server is stopping."


class StorageUnavailableError(RequestError):
    """The output folder cannot be written."""

    code = ErrorCode.STORAGE_UNAVAILABLE
    default_message = (
        "The server cannot write to its output folder. Nothing of this request was stored."
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job FAILED: a code, and a message that says what to do.

    `details` (JSON values) may hold `exitCode`, `signal` and `stderr` (the script's last lines), or
    `missingImages` (the numbers of listed images whose files are gone). `path` is the file at fault
    on this machine; it is neither stored nor sent to clients.
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
    """Return the failure of a job for which the machine has no files or processes left."""
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
