"""Answers of this dialect: JSON, also `null`, which some clients insist on."""

from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from sdrest.web.responses.render import JSON, json_body


def respond(value: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Answer with a value as JSON."""
    headers = {hdrs.CONTENT_TYPE: JSON, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=status, body=json_body(value), headers=headers)
