"""CORS: the original's routes are open to every origin, all others to those of `--cors-origin`.

aiohttp-cors answers preflights. It is silent on errors, on plain OPTIONS requests and where a
request has no Origin; there the two functions below speak, since the original sent its
header with every answer.
"""

from http import HTTPStatus

import aiohttp_cors
from aiohttp import hdrs, web

from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.access import audience
from sdrest.web.errors import Handler

_OPTIONS = {"allow_headers": "*", "max_age": 86_400}

_PLAIN_ANSWER = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET,HEAD,POST",
    hdrs.VARY: hdrs.ACCESS_CONTROL_REQUEST_HEADERS,
}


def enable(app: web.Application, settings: Settings) -> None:
    """Open the routes that `app` has by now."""
    chosen = dict.fromkeys(settings.cors_origin, _OPTIONS)
    if not (settings.cors or chosen):
        return
    everyone = {"*": _OPTIONS} if settings.cors else {}
    cors = aiohttp_cors.setup(app)
    for route in list(app.router.routes()):
        path = "" if route.resource is None else route.resource.canonical
        origins = chosen | (everyone if audience(route.method, path).foreign else {})
        if origins:
            cors.add(route, origins)
    app.on_response_prepare.append(_allow)
    app.middlewares.append(_options_middleware)


async def _allow(request: web.Request, response: web.StreamResponse) -> None:
    settings = request.app[keys.SETTINGS]
    if settings.cors and request.app[keys.GUARD].audience(request).foreign:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    elif settings.cors_origin:
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN, "")
        if origin in settings.cors_origin:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin


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
