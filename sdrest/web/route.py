"""What a route is: its address, its handler, its access policy and its description.

`routes` has the one list of routes. The router, access control, CORS, metrics, the OpenAPI
document and the tables of the documentation derive from it.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from sdrest.errors import ErrorCode
from sdrest.job_types import JobType

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PATTERNS = {
    "{id}": "{id:[0-9a-f]{32}}",
    "{number}": "{number:[1-9][0-9]{0,5}}",
    "{model}": "{model:[^/]+}",
    "{name}": "{name:[^/]+}",
}
"""What a path's variables match, in the syntax of aiohttp's router."""

TYPE: Final = "/TYPE"
"""What stands in a path for the job type; such a route is registered for each type."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route: `token`, only with the token; `foreign`, pages of any origin too.

    `basic`: the token may also come as the password of HTTP's Basic authentication.
    """

    token: bool
    foreign: bool
    basic: bool = False


TOKEN_ANY_ORIGIN: Final = Access(token=True, foreign=True)
BASIC_ANY_ORIGIN: Final = Access(token=True, foreign=True, basic=True)
BASIC_SAME_ORIGIN: Final = Access(token=True, foreign=False, basic=True)
TOKEN_SAME_ORIGIN: Final = Access(token=True, foreign=False)
PUBLIC_SAME_ORIGIN: Final = Access(token=False, foreign=False)
PUBLIC_ANY_ORIGIN: Final = Access(token=False, foreign=True)


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """What a route answers with a status.

    `schema` names the schema of a JSON body, `example` its examples where they have another name;
    `headers` are names of `schemas.HEADERS`; `links` are routes that take the same job. `stream`
    names the schema of the events where the answer may be a stream instead.
    """

    text: str
    media_type: str = ""
    schema: str = ""
    headers: tuple[str, ...] = ()
    example: str = ""
    links: tuple[str, ...] = ()
    stream: str = ""


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How a dialect writes errors: the schema of the body, and the statuses that it replaces."""

    schema: str
    statuses: Mapping[HTTPStatus, HTTPStatus]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a header of the request."""

    name: str
    schema: Mapping[str, Any]
    text: str
    place: str = "query"


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A method and a path with their handler; one without a summary is not in the OpenAPI document.

    In `path`, `/TYPE` stands for the job type, `{id}` and `{number}` for a job and an image. GET
    also stands for HEAD. `errors` leaves out the codes that every route may answer with and those
    that follow from `access`; a dialect has an `error_shape` of its own. `body` names the schema of
    the request, which comes as `body_type`; `TYPE`: that of the job type. `tag` is the heading in
    the document. `label` names the route in the metrics where method and path do not.
    """

    method: str
    path: str
    handler: Handler
    summary: str = ""
    responses: Mapping[HTTPStatus, ResponseSpec] = field(default_factory=dict)
    errors: tuple[ErrorCode, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    access: Access = TOKEN_SAME_ORIGIN
    body: str = ""
    body_type: str = "application/json"
    error_shape: ErrorShape | None = None
    tag: str = ""
    text: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """The name in the metrics and in links, e.g. `GET /TYPE/{id}`."""
        return self.label or f"{self.method} {self.path}"


Registered = Mapping[web.AbstractRoute, Route]
"""Each route of aiohttp's router with the declaration that it was made from."""


def add_routes(router: web.UrlDispatcher, routes: Iterable[Route]) -> Registered:
    """Register routes; return each route of the router with its declaration."""
    return {
        router.add_route(method, pattern, route.handler): route
        for route in routes
        for pattern in _patterns(route.path)
        for method in (["HEAD", "GET"] if route.method == "GET" else [route.method])
    }


def _patterns(path: str) -> Iterator[str]:
    """Yield the router's patterns of a path.

    As in the original, the case of the type and a slash at the end do not matter. The plain
    spelling has patterns of its own, which come first: aiohttp finds them in an index.
    """
    for name, pattern in _PATTERNS.items():
        path = path.replace(name, pattern)
    if not path.startswith(TYPE):
        yield path
        return
    rest = path.removeprefix(TYPE) + ("" if path.endswith(".png") else "{slash:/?}")
    for start in (*JobType, f"{{type:(?i:{'|'.join(JobType)})}}"):
        yield f"/{start}{rest}"
