"""Errors in the web UI's shape: `{"error", "detail", "body", "errors"}` with the sentence twice."""

from http import HTTPStatus

from aiohttp import hdrs, web

from sdrest.errors import ErrorCode, Failure, NotFoundError, RequestError
from sdrest.web.responses.errors import ErrorResponse
from sdrest.web.responses.render import json_body
from sdrest.web.route import ErrorShape

PREFIX = "/sdapi/"
"""What the paths of this dialect begin with."""

SHAPE = ErrorShape("A1111Error", {})

_BROWSERS = "Mozilla/"
"""What the User-Agent of every browser begins with."""


class JobFailedError(RequestError):
    """A job of the request FAILED."""

    code = ErrorCode.INTERNAL
    default_message = "The job failed."

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, failure=failure.code)


def shape(response: ErrorResponse) -> web.Response:
    """Rewrite the body of an error; its status and headers stay."""
    message = response.message
    if response.code is ErrorCode.NOT_FOUND and message == NotFoundError.default_message:
        body = {"detail": "Not Found"}  # AI Render takes it for "the API is off"
    else:
        if response.code is ErrorCode.UNAUTHORIZED:
            message = "Incorrect username or password"
        error = response.details.get("failure", "HTTPException")
        body = {"error": error, "detail": message, "body": "", "errors": message}
    response.body = json_body(body)
    return response


async def challenge(request: web.Request, response: web.StreamResponse) -> None:
    """Ask a program for Basic credentials, but no browser.

    A browser would keep them, and send them with requests of pages of other origins.
    """
    if (
        response.status == HTTPStatus.UNAUTHORIZED
        and request.path.startswith(PREFIX)
        and not request.headers.get(hdrs.USER_AGENT, "").startswith(_BROWSERS)
    ):
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="sdrest"'
