"""Responses and parameters that several routes share."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sdrest.errors import ErrorCode
from sdrest.web.route import Parameter, ResponseSpec

OK = HTTPStatus.OK

TEXT: Mapping[str, Any] = {"type": "string"}
IF_NONE_MATCH = Parameter(
    "If-None-Match", TEXT, "The ETag of the answer that the client has.", "header"
)
NOT_MODIFIED = {
    HTTPStatus.NOT_MODIFIED: ResponseSpec("The client has the current answer.", headers=("ETag",))
}
BODY_ERRORS = (
    ErrorCode.TOO_LARGE,
    ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    ErrorCode.INVALID_REQUEST,
)


def json_spec(text: str, schema: str, *links: str, headers: tuple[str, ...] = ()) -> ResponseSpec:
    """Describe an answer in JSON."""
    return ResponseSpec(text, "application/json", schema, headers=headers, links=links)
