"""The JSON bodies of answers about the server itself; see `answers.py`."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from sdrest.checkpoints.kinds import REASONS, TYPES
from sdrest.errors import ErrorCode, FailureCode
from sdrest.job_types import JobType


class Health(TypedDict):
    """The body of `/healthz`."""

    status: Literal["ok"]


class Engine(TypedDict):
    """What runs the jobs."""

    kind: Literal["bundled", "repository"]
    message: str


class Problem(TypedDict):
    """What makes jobs fail, or all of them be refused."""

    code: FailureCode | Literal[ErrorCode.STOPPING, ErrorCode.STORAGE_UNAVAILABLE]
    message: str


class Readiness(TypedDict):
    """The body of `/readyz`."""

    engine: Engine
    problems: list[Problem]
    status: Literal["ready", "not ready"]
    usable: list[JobType]


class Model(TypedDict):
    """A checkpoint of the folder of `--models`, or one of the two flags."""

    name: Annotated[str, Field(description="What `model` in a request may be.")]
    file: Annotated[str, Field(description="Its path in the folder of `--models`.")]
    size: Annotated[int, Field(ge=0, description="In bytes.")]
    kind: Annotated[
        str,
        WithJsonSchema(
            {
                "enum": [*TYPES, *REASONS],
                "description": "What it is by its content; see `reason` for kinds that cannot be "
                "used.",
            }
        ),
    ]
    usable: bool
    reason: Annotated[
        str | None, Field(description="Why it cannot be used and what to do; null if it can.")
    ]
    types: Annotated[list[JobType], Field(description="The types of jobs that can use it.")]
    default: Annotated[
        list[JobType],
        Field(description="The types of jobs that use it if they name no model."),
    ]
    loaded: Annotated[bool, Field(description="Whether it is in memory, or being loaded.")]
    hash: Annotated[
        Annotated[str, Field(pattern="^[0-9a-f]{10}$")] | None,
        Field(description="The first digits of the file's SHA-256; null until they are known."),
    ]
    workers: Annotated[
        list[str], Field(description="The workers of the server's cluster that have it.")
    ]


class Models(TypedDict):
    """The body of `GET /models`."""

    models: list[Model]


class WorkerModel(TypedDict):
    """A checkpoint of a worker."""

    name: Annotated[str, Field(description="What `model` in a request may be.")]
    file: Annotated[str, Field(description="Its path in the worker's folder of models.")]
    hash: Annotated[
        Annotated[str, Field(pattern="^[0-9a-f]{10}$")] | None,
        Field(description="The first digits of the file's SHA-256; null until they are known."),
    ]
    types: Annotated[list[JobType], Field(description="The types of jobs that can use it.")]
    loaded: Annotated[bool, Field(description="Whether it is in memory, or being loaded.")]


class WorkerProblem(TypedDict):
    """Why jobs of some type fail on a worker."""

    code: FailureCode
    message: str


WorkerState = Literal["ready", "connecting", "draining", "lost", "refused"]


class Worker(TypedDict):
    """A machine that runs jobs."""

    accelerator: Annotated[
        str | None,
        Field(description="What it computes with: cuda, mps or cpu; null if that is not known."),
    ]
    address: Annotated[
        str | None, Field(description="Where the front reaches it; null for the server's own.")
    ]
    bundled: Annotated[bool, Field(description="Whether its pictures are the bundled engine's.")]
    capacity: Annotated[int, Field(ge=0, description="How many jobs it runs at once.")]
    jobs: Annotated[list[str], Field(description="The ids of the jobs that it runs.")]
    lastSeen: Annotated[str, Field(description="When it answered last (ISO 8601).")]
    memory: Annotated[int | None, Field(description="The machine's memory in bytes.")]
    memoryUsed: Annotated[int, Field(ge=0, description="What its scripts hold, in bytes.")]
    models: Annotated[list[WorkerModel], Field(description="The checkpoints that it can use.")]
    name: str
    problems: Annotated[
        list[WorkerProblem],
        Field(description="Why jobs that name no model would fail there."),
    ]
    python: str | None
    reason: Annotated[str | None, Field(description="Why a `refused` worker gets no jobs.")]
    since: Annotated[str, Field(description="When it came (ISO 8601).")]
    state: Annotated[
        WorkerState,
        Field(
            description="`ready` for jobs; `connecting`, it has not said yet what it has; "
            "`draining`, it stops and takes no more jobs; `lost`, it does not answer; `refused`, "
            "see `reason`."
        ),
    ]
    types: Annotated[
        list[JobType], Field(description="The types of jobs that run there if they name no model.")
    ]
    version: Annotated[str | None, Field(description="Its version of sdrest.")]
    warnings: list[str]


class Workers(TypedDict):
    """The body of `GET /workers`."""

    cluster: Annotated[
        str | None,
        Field(description="Where workers connect, as --cluster or --scheduler says; else null."),
    ]
    workers: list[Worker]
