"""The JSON body of a refused request; see `answers.py`."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from sdrest.errors import ErrorCode


class WrongField(TypedDict):
    """A field of a request that is wrong."""

    field: str
    message: str


class ErrorDetails(TypedDict):
    """What programs need of an error."""

    fields: NotRequired[
        Annotated[
            list[WrongField],
            Field(description=f"With `{ErrorCode.INVALID_REQUEST}`: each wrong field."),
        ]
    ]
    limit: NotRequired[
        Annotated[
            int,
            Field(
                ge=0, description="Where something is too much: the limit, in the message's unit."
            ),
        ]
    ]
    retryAfter: NotRequired[
        Annotated[int, Field(ge=1, description="Where waiting helps: seconds until it may work.")]
    ]


class RequestFailure(TypedDict):
    """Why a request was refused."""

    code: ErrorCode
    message: Annotated[str, Field(description="What is wrong, in a sentence or two.")]
    details: ErrorDetails


class Error(TypedDict):
    """The body of every refused request."""

    error: RequestFailure
