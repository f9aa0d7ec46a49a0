"""The second address (`--a1111-port`): this dialect alone, over plain HTTP."""

from http import HTTPStatus

from aiohttp import hdrs, web

from sdrest.web import keys
from sdrest.web.responses.json_response import json_response
from sdrest.web.route import Handler

_READS = {hdrs.METH_GET, hdrs.METH_HEAD}
_STARTS = ("/sdapi/", "/internal/")
_PATHS = {"/config", "/healthz"}


@web.middleware
async def second_address(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer on the second address what belongs to this dialect, and the health of the server.

    `/` is JSON there, as some clients expect.
    """
    if not _is_second(request):
        return await handler(request)
    if request.path == "/" and request.method in _READS:
        return json_response({})
    if request.path.startswith(_STARTS) or request.path in _PATHS:
        return await handler(request)
    return json_response({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)


def _is_second(request: web.Request) -> bool:
    port = request.app[keys.SETTINGS].a1111_port
    transport = request.transport
    if not port or transport is None:
        return False
    return bool(transport.get_extra_info("sockname")[1] == port)
