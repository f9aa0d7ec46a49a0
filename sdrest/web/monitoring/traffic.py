"""How many requests each route answers, with which status, and how long that takes.

aiohttp passes every answer to its access log once it is sent; this is that log.
"""

import logging
from collections.abc import Iterator
from functools import cache

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from prometheus_client import CollectorRegistry, Counter, Histogram

from sdrest.errors import ErrorCode
from sdrest.web.responses.errors import STATUS
from sdrest.web.route import Registered, Route

OTHER = "other"
"""The label of what reaches no route: unknown addresses, wrong methods, preflights, no HTTP."""

_OTHERS = (ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED, ErrorCode.MALFORMED_REQUEST)
_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60)


class Traffic(AbstractAccessLogger):
    """Counts the answers of the application with `routes`, in `registry`; each begins at 0."""

    def __init__(self, registry: CollectorRegistry, routes: Registered) -> None:
        super().__init__(logging.getLogger(__name__), "")
        self._names = {route: declared.name for route, declared in routes.items()}
        self._requests = Counter(
            "sdrest_http_requests",
            "Requests that were answered. route=other: of no known address and method.",
            ["route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "sdrest_http_request_duration_seconds",
            "Seconds from a request's head to the end of its answer; streams are long.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._count = cache(self._requests.labels)  # labels() alone takes 5 % of a short answer
        self._duration = cache(self._seconds.labels)
        self._begin_at_zero(OTHER, (STATUS[code] for code in _OTHERS))
        for route in routes.values():
            self._begin_at_zero(route.name, _statuses(route))

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Count an answer that took `time` seconds."""
        match = getattr(request, "_match_info", None)  # requests that are not HTTP have none
        name = OTHER if match is None else self._names.get(match.route, OTHER)
        self._count(name, response.status).inc()
        self._duration(name).observe(time)

    def _begin_at_zero(self, name: str, statuses: Iterator[int]) -> None:
        self._seconds.labels(name)
        for status in statuses:
            self._requests.labels(name, int(status))


def _statuses(route: Route) -> Iterator[int]:
    """Yield the statuses that a route is known to answer with."""
    if route.summary:
        yield from route.responses
        yield from (STATUS[code] for code in (*route.errors, ErrorCode.INTERNAL))


TRAFFIC = web.AppKey("traffic", Traffic)
