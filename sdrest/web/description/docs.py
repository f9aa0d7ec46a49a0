"""`GET /openapi.json`, and `GET /docs`, where Swagger UI shows it."""

from functools import lru_cache

from aiohttp import web

from sdrest.web import keys
from sdrest.web.description.openapi import document
from sdrest.web.page.handlers import MOST_PREFIXES, STATIC, Handler, sender
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.render import JSON, json_body

_HTML = "text/html; charset=utf-8"


def add_to(router: web.UrlDispatcher) -> None:
    """Register both; the description is made when a client first asks for it."""
    router.add_get("/openapi.json", _send_document)
    router.add_get("/docs", sender((STATIC / "docs.html").read_bytes(), _HTML))


async def _send_document(request: web.Request) -> web.StreamResponse:
    return await _document_sender(request.app[keys.ACCESS].locked, prefix(request))(request)


@lru_cache(maxsize=2 * MOST_PREFIXES)
def _document_sender(locked: bool, start: str) -> Handler:  # noqa: FBT001 (the cache's keys)
    return sender(json_body(document(locked=locked, prefix=start)), JSON)
