"""`GET /openapi.json`, and the same to be read: `GET /docs`."""

from functools import cache

from aiohttp import web

from sdrest.web import keys
from sdrest.web.docs_page import html
from sdrest.web.openapi import document
from sdrest.web.page import Handler, sender
from sdrest.web.render import JSON, json_body

_HTML = "text/html; charset=utf-8"


def add_to(router: web.UrlDispatcher) -> None:
    """Register both; they are made when they are first asked for."""
    router.add_get("/openapi.json", _send_document)
    router.add_get("/docs", _send_page)


async def _send_document(request: web.Request) -> web.StreamResponse:
    return await _document_sender(_is_locked(request))(request)


async def _send_page(request: web.Request) -> web.StreamResponse:
    return await _page_sender(_is_locked(request))(request)


def _is_locked(request: web.Request) -> bool:
    return request.app[keys.GUARD].locked


@cache
def _document_sender(locked: bool) -> Handler:  # noqa: FBT001 (`cache` takes what is given)
    return sender(json_body(document(locked=locked)), JSON)


@cache
def _page_sender(locked: bool) -> Handler:  # noqa: FBT001
    return sender(html(document(locked=locked), locked=locked).encode(), _HTML)
