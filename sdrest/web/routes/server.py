"""The routes of the server itself: health, metrics, descriptions, the page."""

from http import HTTPStatus

from sdrest.errors import ErrorCode
from sdrest.web.description import docs
from sdrest.web.monitoring import health, scrape, workers
from sdrest.web.monitoring.metrics import OPENMETRICS, PLAIN
from sdrest.web.page import handlers as page
from sdrest.web.requests import session
from sdrest.web.route import PUBLIC_ANY_ORIGIN, PUBLIC_SAME_ORIGIN, Handler, ResponseSpec, Route
from sdrest.web.routes.shared import BODY_ERRORS, IF_NONE_MATCH, NOT_MODIFIED, OK, json_spec


def _file(path: str, handler: Handler, summary: str, text: str, media_type: str) -> Route:
    return Route(
        "GET",
        path,
        handler,
        summary,
        {OK: ResponseSpec(text, media_type, headers=("ETag",)), **NOT_MODIFIED},
        parameters=(IF_NONE_MATCH,),
        access=PUBLIC_SAME_ORIGIN,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/healthz",
        health.send_health,
        "Is the server alive?",
        {OK: json_spec("It is.", "Health")},
        access=PUBLIC_ANY_ORIGIN,
    ),
    Route(
        "GET",
        "/readyz",
        health.send_readiness,
        "Could the server make a picture now?",
        {
            OK: json_spec(
                "It could. `problems` says which types could not, and what the file system of the "
                "output folder lacks.",
                "Readiness",
            ),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseSpec(
                "Every job would be refused or fail; `problems` says why.",
                "application/json",
                "Readiness",
                example="NotReady",
            ),
        },
        access=PUBLIC_SAME_ORIGIN,
    ),
    Route(
        "GET",
        "/metrics",
        scrape.send_metrics,
        "Metrics for Prometheus",
        {
            OK: ResponseSpec(
                "The text format, or OpenMetrics if `Accept` names it.",
                f"{PLAIN}, {OPENMETRICS}",
                headers=("Vary",),
            )
        },
    ),
    Route(
        "GET",
        "/workers",
        workers.send_workers,
        "List the machines that run jobs",
        {OK: json_spec("All that are connected; without a cluster, this one.", "Workers")},
    ),
    Route(
        "POST",
        "/session",
        session.open_session,
        "Turn the token into a cookie",
        {
            HTTPStatus.NO_CONTENT: ResponseSpec(
                "The cookie, if the server has a token.", headers=("Set-Cookie",)
            )
        },
        (*BODY_ERRORS, ErrorCode.UNAUTHORIZED),
        access=PUBLIC_SAME_ORIGIN,
        body="Session",
    ),
    Route(
        "DELETE",
        "/session",
        session.close_session,
        "Remove the token's cookie",
        {
            HTTPStatus.NO_CONTENT: ResponseSpec(
                "The cookie is removed, if the server has a token.", headers=("Set-Cookie",)
            )
        },
        access=PUBLIC_SAME_ORIGIN,
    ),
    _file("/", page.send_page, "The page", "The page.", "text/html"),
    _file("/docs", docs.send_docs, "This description, to be read", "The description.", "text/html"),
    _file(
        "/openapi.json",
        docs.send_document,
        "This description",
        "OpenAPI 3.1.",
        "application/json",
    ),
    *(
        Route("GET", path, handler, access=PUBLIC_SAME_ORIGIN, label="GET /static")
        for path, handler in page.static_handlers()
    ),
)
