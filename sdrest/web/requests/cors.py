"""CORS: the original's routes are open to every origin, all routes to those of `--cors-origin`.

aiohttp-cors answers the preflights of the former. It adds nothing to errors, to plain OPTIONS
requests and to requests without an Origin; the functions below do, since the original sent its
header with every answer.
"""

from http import HTTPStatus

import aiohttp_cors
from aiohttp import hdrs, web

from sdrest.settings import Settings
from sdrest.web import keys
from sdrest.web.requests.access import ACCESS
from sdrest.web.route import Handler, Registered

_MAX_AGE = 86_400

_PLAIN_ANSWER = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET,HEAD,POST",
    hdrs.VARY: hdrs.ACCESS_CONTROL_REQUEST_HEADERS,
}


def enable(app: web.Application, settings: Settings, routes: Registered) -> None:
    """Open the routes of `app` as their declarations say."""
    if settings.cors:
        options = {"allow_headers": "*", "max_age": _MAX_AGE}
        cors = aiohttp_cors.setup(app, defaults={"*": options})
        for route, declared in routes.items():
            if declared.access.foreign:
                cors.add(route)
        app.middlewares.append(_options_middleware)
    if settings.cors_origin:
        app.middlewares.append(_preflight_middleware)
    if settings.cors or settings.cors_origin:
        app.on_response_prepare.append(_allow)


async def _allow(request: web.Request, response: web.StreamResponse) -> None:
    settings = request.app[keys.SETTINGS]
    if settings.cors and request.app[ACCESS].access_of(request).foreign:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    elif settings.cors_origin:
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        origin = request.headers.get(hdrs.ORIGIN, "")
        if origin in settings.cors_origin:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin


@web.middleware
async def _options_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer OPTIONS requests that are not preflights; aiohttp-cors refuses them."""
    if (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers
        and request.match_info.http_exception is None
    ):
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PLAIN_ANSWER)
    return await handler(request)


@web.middleware
async def _preflight_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the preflights of `--cors-origin`; a forbidden request itself is refused."""
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    origin = request.headers.get(hdrs.ORIGIN)
    chosen = request.app[keys.SETTINGS].cors_origin
    if request.method != hdrs.METH_OPTIONS or asked is None or origin not in chosen:
        return await handler(request)
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: asked,
        hdrs.ACCESS_CONTROL_MAX_AGE: str(_MAX_AGE),
    }
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
    if wanted:
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
    return web.Response(headers=headers)
