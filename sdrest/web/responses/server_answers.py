"""The JSON bodies of answers about the server itself; see `models.py`."""

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


class Models(TypedDict):
    """The body of `GET /models`."""

    models: list[Model]
