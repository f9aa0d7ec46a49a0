"""Headers that keep browsers from using an answer for anything else."""

from collections.abc import Mapping

from aiohttp import hdrs, web

from sdrest.web.requests.access import ACCESS

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    hdrs.SERVER: "sdrest",
}
"""What every answer has, unless its handler sets them; aiohttp would name its version."""

_RESOURCE_POLICY = "Cross-Origin-Resource-Policy"
_DEFAULTS = [(name, value) for name, value in HEADERS.items() if name != hdrs.SERVER]


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Complete the headers of an answer."""
    headers = response.headers
    for name, value in _DEFAULTS:
        if name not in headers:
            headers[name] = value
    headers[hdrs.SERVER] = HEADERS[hdrs.SERVER]
    foreign = request.app[ACCESS].access_of(request).foreign
    headers[_RESOURCE_POLICY] = "cross-origin" if foreign else "same-origin"
