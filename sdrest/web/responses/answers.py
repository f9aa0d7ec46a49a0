"""The JSON bodies of answers, as pydantic reads them: the OpenAPI schemas come from these classes.

Names are those of the JSON. A field that is `NotRequired` is missing at times, never null, and its
description says when; that is why these are TypedDicts. `render.py` writes jobs and errors, and
tests hold its answers against these classes.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from sdrest.errors import ErrorCode, FailureCode
from sdrest.job_types import JobType
from sdrest.jobs.model import Status
from sdrest.parameter_values import LARGEST_SEED

JOB_PATH = f"/({'|'.join(JobType)})/[0-9a-f]{{32}}"
"""The pattern of a job's path."""

ID_PATTERN = "^[0-9a-f]{32}$"
"""The pattern of a job's id."""

_Count = Annotated[int, Field(ge=0)]
_FromOne = Annotated[int, Field(ge=1)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
_Time = Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "format": "date-time"})]

ResultUrl = Annotated[str, Field(pattern=f"^{JOB_PATH}$", description="The path of this JSON.")]
_ImageUrls = Annotated[
    list[Annotated[str, Field(pattern=rf"^{JOB_PATH}/[1-9][0-9]*\.png$")]],
    Field(
        description="The paths of the images that are complete. A listed image stays, unless "
        "somebody deletes its file."
    ),
]
_Flagged = Annotated[
    list[_FromOne],
    Field(
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="The images, counted from 1, that the script's safety checker replaced. "
        "Missing where it replaced none.",
    ),
]
_Attention = Annotated[
    Literal["exact", "fast"],
    Field(
        description="How the script computed attention: as it stands there, or with PyTorch's own, "
        "which gives slightly different pixels. Missing before the first image, and for an engine "
        "without attention."
    ),
]
_Preview = Annotated[
    str,
    Field(
        pattern=rf"^{JOB_PATH}/preview\?number=[1-9][0-9]*$",
        description="The path of a small picture: what the image in progress looks like so far. "
        "Another one for each preview; missing while there is none.",
    ),
]
_ModelFile = Annotated[
    str, Field(description="The file of the checkpoint, where the request names one.")
]
_ChosenSeed = Annotated[
    _Seed, Field(description="The random seed, where the request asked for one.")
]


class Progress(TypedDict):
    """How far a running job is."""

    currentImageIndex: Annotated[
        _FromOne, Field(description="The image being made, counted from 1.")
    ]
    currentImageProgress: Annotated[_Fraction, Field(description="How much of it is done.")]
    totalImages: Annotated[_FromOne, Field(description="How many there will be.")]


class Waiting(TypedDict):
    """Why a job cannot go on."""

    code: Literal[ErrorCode.STORAGE_UNAVAILABLE, FailureCode.NO_WORKER]
    message: Annotated[str, Field(description="Why the job cannot go on and what to do.")]


_Waiting = Annotated[
    Waiting,
    Field(
        description="While the server cannot write, or no machine of its cluster can run the job: "
        "what the job waits for."
    ),
]


class FailureDetails(TypedDict):
    """What is known of a failed script."""

    missingImages: NotRequired[
        Annotated[
            list[_FromOne], Field(description="Where listed images were deleted: their numbers.")
        ]
    ]
    exitCode: NotRequired[
        Annotated[int, Field(description="Where the script ended by itself: with which exit code.")]
    ]
    signal: NotRequired[
        Annotated[str, Field(description="Where a signal ended the script: its name.")]
    ]
    stderr: NotRequired[
        Annotated[str, Field(description="Where the script wrote something: its last lines.")]
    ]


class JobFailure(TypedDict):
    """Why a job FAILED."""

    code: FailureCode
    message: Annotated[str, Field(description="What went wrong and what to do.")]
    details: FailureDetails


class JobQueued(TypedDict):
    """A job that waits."""

    status: Literal[Status.QUEUED]
    resultUrl: ResultUrl
    position: NotRequired[
        Annotated[
            _FromOne,
            Field(
                description="The place in the queue; 1 is the next to run. Missing for the "
                "instant between waiting and running."
            ),
        ]
    ]
    waiting: NotRequired[_Waiting]
    model: NotRequired[_ModelFile]
    seed: NotRequired[_ChosenSeed]


class _JobStarted(TypedDict):
    resultUrl: ResultUrl
    imageUrls: _ImageUrls
    attention: NotRequired[_Attention]
    flagged: NotRequired[_Flagged]
    model: NotRequired[_ModelFile]
    seed: NotRequired[_ChosenSeed]


class JobInProgress(_JobStarted):
    """A job that runs."""

    status: Literal[Status.IN_PROGRESS]
    progress: Progress
    preview: NotRequired[_Preview]
    waiting: NotRequired[_Waiting]


class JobComplete(_JobStarted):
    """A job with all its images."""

    status: Literal[Status.COMPLETE]


class JobFailed(_JobStarted):
    """A job that failed."""

    status: Literal[Status.FAILED]
    error: JobFailure


class JobCancelled(_JobStarted):
    """A job that a client cancelled."""

    status: Literal[Status.CANCELLED]


Job = Annotated[
    JobQueued | JobInProgress | JobComplete | JobFailed | JobCancelled,
    Field(discriminator="status"),
]
"""A job, as its own path answers."""


class ImageSize(TypedDict):
    """The pixels of a job's images."""

    width: _FromOne
    height: _FromOne


class _Identified(TypedDict):
    id: Annotated[str, Field(pattern=ID_PATTERN)]
    favourites: Annotated[
        list[_FromOne],
        Field(
            json_schema_extra={"uniqueItems": True},
            description="The images, counted from 1, that are marked as favourites.",
        ),
    ]
    imageSize: NotRequired[
        Annotated[
            ImageSize,
            Field(
                description="The pixels of the images. Missing before the first one, and for jobs "
                "of earlier versions."
            ),
        ]
    ]
    type: JobType
    seed: _Seed
    createdAt: _Time
    startedAt: _Time
    finishedAt: _Time


class Entry(_Identified):
    """A job of `GET /jobs`: these fields besides those of `Job`."""

    params: Annotated[
        dict[str, Any],
        Field(
            description="The request's fields, with their defaults, and `mask`: true where an "
            "image to image job has one."
        ),
    ]


class EventData(_Identified):
    """The job in an event: these fields besides those of `Job`."""

    params: NotRequired[
        Annotated[
            dict[str, Any],
            Field(description="In `status` events: the request's fields, with their defaults."),
        ]
    ]


class Deletion(TypedDict):
    """What a `deleted` event has."""

    resultUrl: ResultUrl
    id: Annotated[str, Field(pattern=ID_PATTERN)]
    type: JobType


class Counts(TypedDict):
    """How many jobs there are in each state."""

    QUEUED: _Count
    IN_PROGRESS: _Count
    COMPLETE: _Count
    FAILED: _Count
    CANCELLED: _Count


class Jobs(TypedDict):
    """A page of jobs, and how many jobs there are in each state."""

    counts: Counts
    jobs: list[Entry]
    nextCursor: Annotated[
        str | None, Field(description="The `cursor` of the next page; null on the last.")
    ]
