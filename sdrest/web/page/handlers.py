"""The page at `/`: plain files, read once, sent from memory."""

import hashlib
import importlib.resources
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from aiohttp import hdrs, web

from sdrest.params import PARAMS_BY_TYPE
from sdrest.pictures import MAX_SIDE
from sdrest.web import keys
from sdrest.web.requests.proxy import prefix
from sdrest.web.responses.conditional import is_fresh
from sdrest.web.responses.render import JSON, json_body
from sdrest.web.route import Handler

STATIC = Path(__file__).with_name("static")
"""The page's folder; everything in it is public."""

PREFIX = "/static/"

LIMITS = f"{PREFIX}limits.json"
"""What uploads may have: pixels, pixels to a side, and MiB."""

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
    ".webp": "image/webp",
}

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    hdrs.CACHE_CONTROL: "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
}


async def send_page(request: web.Request) -> web.StreamResponse:
    """Send the page; the addresses in it begin with the request's prefix."""
    return await _page(prefix(request).encode())(request)


@lru_cache(maxsize=MOST_PREFIXES)
def _page(before: bytes) -> Handler:
    content = (STATIC / _INDEX).read_bytes()
    return sender(content.replace(b'="/', b'="%b/' % before), _TYPES[".html"])


async def send_limits(request: web.Request) -> web.StreamResponse:
    """Send what the page needs to know of an upload before it is sent."""
    settings = request.app[keys.SETTINGS]
    limits = {
        "maxPixels": settings.max_pixels,
        "maxSide": MAX_SIDE,
        "maxUpload": settings.max_upload,
    }
    return await sender(json_body(limits), JSON)(request)


def static_handlers() -> Iterator[tuple[str, Handler]]:
    """Yield the path and the handler of each static file: no path leads to another file."""
    schemas = {job_type: model.model_json_schema() for job_type, model in PARAMS_BY_TYPE.items()}
    yield LIMITS, send_limits
    yield PARAMETERS, sender(json_body(schemas), JSON)
    for path in sorted(STATIC.iterdir()):
        if path.name not in {_INDEX, _DOCS}:
            yield PREFIX + path.name, sender(path.read_bytes(), _TYPES[path.suffix])
    for name in _SWAGGER_UI:
        yield PREFIX + name, _file_sender(_swagger_ui() / name)


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
