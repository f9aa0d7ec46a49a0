"""The page at `/`: plain files, read once, sent from memory."""

import hashlib
import importlib.resources
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path

from aiohttp import hdrs, web

from sdrest.params import PARAMS_BY_TYPE
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.conditional import is_fresh
from sdrest.web.responses.render import JSON, json_body

STATIC = Path(__file__).with_name("static")
"""The page's folder; everything in it is public."""

PREFIX = "/static/"

PARAMETERS = f"{PREFIX}parameters.json"
"""The JSON schemas of the three requests, by job type: what the page makes its forms from."""

MOST_PREFIXES = 8
"""Prefixes of paths for which pages are kept."""

_INDEX, _DOCS = "index.html", "docs.html"
_SWAGGER_UI = ("swagger-ui.css", "swagger-ui-bundle.js")
"""The files of Swagger UI that `docs.html` needs, from the package swagger-ui-bundle-v2."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_to(router: web.UrlDispatcher) -> None:
    """Register `/` and one route for each file: there is no path that could lead elsewhere."""
    schemas = {job_type: model.model_json_schema() for job_type, model in PARAMS_BY_TYPE.items()}
    router.add_get(PARAMETERS, sender(json_body(schemas), JSON))
    for path in sorted(STATIC.iterdir()):
        content = path.read_bytes()
        if path.name == _INDEX:
            router.add_get("/", _index_sender(content))
        elif path.name != _DOCS:
            router.add_get(PREFIX + path.name, sender(content, _TYPES[path.suffix]))
    for name in _SWAGGER_UI:
        router.add_get(PREFIX + name, _file_sender(_swagger_ui() / name))


def _index_sender(content: bytes) -> Handler:
    """Return a handler that sends the page, whose addresses begin with the request's prefix."""

    @lru_cache(maxsize=MOST_PREFIXES)
    def made(before: bytes) -> Handler:
        return sender(content.replace(b'="/', b'="%b/' % before), _TYPES[".html"])

    async def send(request: web.Request) -> web.StreamResponse:
        return await made(prefix(request).encode())(request)

    return send


def sender(body: bytes, content_type: str) -> Handler:
    """Return a handler that sends `body`, under the page's rules."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {hdrs.ETAG: etag, **_HEADERS}

    async def send(request: web.Request) -> web.Response:
        if is_fresh(request.headers, etag):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type, **headers})

    return send


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI's files; its name holds their version."""
    package = Path(str(importlib.resources.files("swagger_ui_bundle")))
    return next(package.glob("vendor/swagger-ui-*"))


def _file_sender(path: Path) -> Handler:
    """Return a handler that sends a large file from the disk, under the page's rules."""
    headers = {hdrs.CONTENT_TYPE: _TYPES[path.suffix], **_HEADERS}

    async def send(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=headers)

    return send
