"""`GET /openapi.json`, and `GET /docs`, where Swagger UI shows it."""

from functools import lru_cache

from aiohttp import web

from sdrest.web import keys
from sdrest.web.description.openapi import document
from sdrest.web.page.handlers import MOST_PREFIXES, STATIC, sender
from sdrest.web.requests.access import ACCESS
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.render import JSON, json_body
from sdrest.web.route import Handler, Route

_HTML = "text/html; charset=utf-8"


_docs = sender((STATIC / "docs.html").read_bytes(), _HTML)


async def send_docs(request: web.Request) -> web.StreamResponse:
    """Send the page on which Swagger UI shows the document."""
    return await _docs(request)


async def send_document(request: web.Request) -> web.StreamResponse:
    """Send the OpenAPI document of the application's routes; it is made at the first request."""
    app = request.app
    return await _document_sender(app[keys.ROUTES], app[ACCESS].locked, prefix(request))(request)


@lru_cache(maxsize=2 * MOST_PREFIXES)
def _document_sender(
    routes: tuple[Route, ...],
    locked: bool,  # noqa: FBT001 (the cache's keys)
    start: str,
) -> Handler:
    return sender(json_body(document(routes, locked=locked, prefix=start)), JSON)
