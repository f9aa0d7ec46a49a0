"""CORS for the original's routes: open to every origin, as the original is.

aiohttp-cors answers preflights. It is silent on errors, on plain OPTIONS requests and where a
request has no Origin; there the two functions below speak, since the original sent its
header with every answer.
"""

from http import HTTPStatus

import aiohttp_cors
from aiohttp import hdrs, web

from sdrest.web.errors import Handler

_MAX_AGE = 86_400

_PLAIN_ANSWER = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET,HEAD,POST",
    hdrs.VARY: hdrs.ACCESS_CONTROL_REQUEST_HEADERS,
}


def enable(app: web.Application) -> None:
    """Open the routes that `app` has by now."""
    options = {"allow_headers": "*", "max_age": _MAX_AGE}
    cors = aiohttp_cors.setup(app, defaults={"*": options})
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_allow_every_origin)
    app.middlewares.append(_options_middleware)


async def _allow_every_origin(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"


@web.middleware
async def _options_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer OPTIONS requests that are no preflights; aiohttp-cors refuses them."""
    if (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers
        and request.match_info.http_exception is None
    ):
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PLAIN_ANSWER)
    return await handler(request)
