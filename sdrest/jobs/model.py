"""A job and its states. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, NamedTuple

from sdrest.engine.base import Need, Progress
from sdrest.errors import ErrorCode, Failure, FailureCode
from sdrest.job_types import JobType


@unique
class Status(StrEnum):
    """The status of a job; the first three are the original's."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether the job has ended (a FAILED or CANCELLED one may be requeued)."""
        return self not in {Status.QUEUED, Status.IN_PROGRESS}


TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.IN_PROGRESS, Status.CANCELLED}),
    Status.IN_PROGRESS: frozenset(
        {Status.COMPLETE, Status.FAILED, Status.CANCELLED, Status.QUEUED}  # QUEUED: interrupted
    ),
    Status.COMPLETE: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),  # the request came again
    Status.CANCELLED: frozenset({Status.QUEUED}),
}


FILE_TRANSITIONS: Mapping[Status, Status] = {
    Status.COMPLETE: Status.FAILED,  # listed images are gone
    Status.FAILED: Status.COMPLETE,  # they are back
}
"""How a status follows the files of a job at its end."""


def sources(target: Status) -> frozenset[Status]:
    """Return the states from which a job may become `target`."""
    return frozenset(source for source, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True, slots=True)
class JobKey:
    """A job's name: its type and the md5 of its request (32 hex digits)."""

    type: JobType
    id: str

    @property
    def url(self) -> str:
        """The path of the job's JSON, e.g. `/text-to-image/63dbe45efdadad3006feb71aa3e48b7d`."""
        return f"/{self.type}/{self.id}"

    def image_url(self, number: int) -> str:
        """Return the path of image `number`, counted from 1."""
        return f"{self.url}/{number}.png"


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the job table. Times are seconds since the epoch.

    `number` orders the queue: the lowest goes first. It is 0 for a job without a row. `size` is
    what images and inputs take, in bytes, once the job is at its end.
    `peak_rss` is the most memory in bytes that the script's process was seen with. `flagged` are
    the images, counted from 1, that the script's safety checker replaced. `attention` is how the
    script computed the images, `exact` or `fast`; None before the first one, and for an engine
    without attention. `favourites` are the images, counted from 1, that somebody marked.
    `image_size` is the width and height of the images in pixels; None before the first one, and for
    jobs of earlier versions.
    """

    key: JobKey
    status: Status
    params: Mapping[str, Any]
    total_images: int
    images: int
    seed: int
    attempts: int
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    failure: Failure | None = None
    number: int = 0
    size: int = 0
    peak_rss: int | None = None
    flagged: tuple[int, ...] = ()
    attention: str | None = None
    favourites: tuple[int, ...] = ()
    image_size: tuple[int, int] | None = None


def need(job: Job) -> Need:
    """Return what a machine has to have for a job."""
    return Need(job.key.type, job.params.get("model") or "")


class Waiting(NamedTuple):
    """Why a job cannot go on, and what to do."""

    code: ErrorCode | FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a client sees of a job.

    `progress` is there while it runs, `queue_position` (1 for the next to run) while it waits.
    `waiting` says what keeps the server from going on with the job. `missing` are the numbers of
    listed images whose files are gone. `preview` is the number of the running job's latest preview,
    if there is one.
    """

    job: Job
    progress: Progress | None = None
    queue_position: int | None = None
    waiting: Waiting | None = None
    missing: Sequence[int] = ()
    preview: int | None = None
