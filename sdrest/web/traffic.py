"""How many requests each route answers, how, and how long that takes.

aiohttp tells its access log of every answer, once it is sent. Each costs a microsecond here, a
fifth of what the library's counters take; they are made of this when somebody asks.
"""

import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from sdrest.errors import ErrorCode
from sdrest.web.access import route_name
from sdrest.web.errors import STATUS
from sdrest.web.operations import OPERATIONS

OTHER = "other"
"""The label of what reaches no route: unknown addresses, wrong methods, preflights, no HTTP."""

_OTHERS = (ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED, ErrorCode.MALFORMED_REQUEST)
_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60)
_BOUNDS = [*map(str, map(float, _SECONDS)), "+Inf"]


class _Account:
    """The answers of one route. `places` says how many took how long, by their bucket."""

    __slots__ = ("places", "seconds", "statuses")

    def __init__(self, statuses: Iterable[int]) -> None:
        self.statuses = Counter(dict.fromkeys(map(int, statuses), 0))
        self.places = [0] * len(_BOUNDS)
        self.seconds = 0.0


class Traffic(AbstractAccessLogger):
    """Takes account of all answers of an application, by the name of their route."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__), "")
        self._other = _Account(STATUS[code] for code in _OTHERS)
        self._accounts = {OTHER: self._other}
        self._routes: dict[web.AbstractRoute | None, _Account] = {}

    def watch(self, router: web.UrlDispatcher) -> None:
        """Open an account for each route that `router` has by now."""
        for route in router.routes():
            if route.resource is not None:
                name = route_name(route.method, route.resource.canonical)
                account = self._accounts.setdefault(name, _Account(_statuses(name)))
                self._routes[route] = account

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Note an answer that took `time` seconds. Called for each request: every step counts."""
        match = getattr(request, "_match_info", None)  # what is no HTTP has none
        route = None if match is None else match.route
        account = self._routes.get(route) or self._other
        account.statuses[response.status] += 1
        account.seconds += time
        account.places[bisect_left(_SECONDS, time)] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield the families, as of now."""
        requests = CounterMetricFamily(
            "sdrest_http_requests",
            "Requests that were answered. route=other: of no known address and method.",
            labels=["route", "status"],
        )
        seconds = HistogramMetricFamily(
            "sdrest_http_request_duration_seconds",
            "Seconds from a request's head to the end of its answer; streams are long.",
            labels=["route"],
        )
        for name, account in self._accounts.items():
            for status, number in account.statuses.items():
                requests.add_metric([name, str(status)], number)
            buckets = zip(_BOUNDS, map(float, accumulate(account.places)), strict=True)
            seconds.add_metric([name], list(buckets), account.seconds)
        yield requests
        yield seconds


def _statuses(name: str) -> Iterator[int]:
    """Yield the statuses that a route is known to answer with."""
    operation = OPERATIONS.get(name)
    if operation is not None:
        yield from operation.answers
        yield from (STATUS[code] for code in (*operation.errors, ErrorCode.INTERNAL))
