"""`GET /openapi.json`, and the same to be read: `GET /docs`."""

from functools import lru_cache

from aiohttp import web

from sdrest.web import keys
from sdrest.web.docs_page import html
from sdrest.web.openapi import document
from sdrest.web.page import MOST_PREFIXES, Handler, sender
from sdrest.web.proxy import prefix
from sdrest.web.render import JSON, json_body

_HTML = "text/html; charset=utf-8"


def add_to(router: web.UrlDispatcher) -> None:
    """Register both; they are made when they are first asked for."""
    router.add_get("/openapi.json", _send_document)
    router.add_get("/docs", _send_page)


async def _send_document(request: web.Request) -> web.StreamResponse:
    return await _document_sender(_is_locked(request), prefix(request))(request)


async def _send_page(request: web.Request) -> web.StreamResponse:
    return await _page_sender(_is_locked(request), prefix(request))(request)


def _is_locked(request: web.Request) -> bool:
    return request.app[keys.GUARD].locked


@lru_cache(maxsize=2 * MOST_PREFIXES)
def _document_sender(locked: bool, start: str) -> Handler:  # noqa: FBT001 (the cache's keys)
    return sender(json_body(document(locked=locked, prefix=start)), JSON)


@lru_cache(maxsize=2 * MOST_PREFIXES)
def _page_sender(locked: bool, start: str) -> Handler:  # noqa: FBT001
    described = document(locked=locked, prefix=start)
    return sender(html(described, locked=locked, prefix=start).encode(), _HTML)
