"""OPTIONS, which CORS answers at each route that pages of other origins may use."""

from collections.abc import Iterator
from dataclasses import replace
from http import HTTPMethod, HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.web.route import PUBLIC_ANY_ORIGIN, Parameter, ResponseSpec, Route

_RESPONSES = {
    HTTPStatus.OK: ResponseSpec(
        "The answer to a preflight.",
        headers=(
            "Access-Control-Allow-Methods",
            "Access-Control-Allow-Headers",
            "Access-Control-Max-Age",
        ),
    ),
    HTTPStatus.NO_CONTENT: ResponseSpec(
        "The answer to any other OPTIONS.", headers=("Access-Control-Allow-Methods", "Vary")
    ),
}
_PARAMETERS = tuple(
    Parameter(name, {"type": "string"}, text, "header")
    for name, text in (
        ("Origin", "Whose page asks."),
        ("Access-Control-Request-Method", "What it would do."),
        ("Access-Control-Request-Headers", "What it would send."),
    )
)


def preflight(route: Route) -> Iterator[Route]:
    """Yield what OPTIONS does at a route that pages of any origin may use."""
    if route.access.foreign:
        yield replace(
            route,
            method=HTTPMethod.OPTIONS,
            summary="Ask what pages of other origins may do (CORS)",
            responses=_RESPONSES,
            errors=(ErrorCode.FOREIGN_ORIGIN, ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED),
            parameters=_PARAMETERS,
            access=PUBLIC_ANY_ORIGIN,
            body="",
            text="405 where the server runs with `--no-cors`.",
        )
