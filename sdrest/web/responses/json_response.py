"""Answers in JSON that nobody keeps: they change with the jobs."""

from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from sdrest.web.responses.render import JSON, json_body

HEADERS = {hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: "no-store"}


def json_response(value: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Answer with a value as JSON."""
    return body_response(json_body(value), status)


def body_response(body: bytes, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Answer with JSON that is written already."""
    return web.Response(status=status, body=body, headers=HEADERS)
