"""Who may come in: names of the server, its token, pages of other origins.

`access_of` says it for every route; a route that it does not know is the owner's.
"""

import hmac
import ipaddress
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from sdrest.errors import ForeignOriginError, UnauthorizedError, UnknownHostError, UsageError
from sdrest.params import JobType
from sdrest.settings import LOOPBACK_NAMES, Settings
from sdrest.web.requests.proxy import address
from sdrest.web.responses.errors import Handler


@dataclass(frozen=True, slots=True)
class Access:
    """Whom a route is for. `foreign`: pages of any origin, not only of this server's."""

    token: bool
    foreign: bool


TOKEN_ANY_ORIGIN: Final = Access(token=True, foreign=True)
TOKEN_SAME_ORIGIN: Final = Access(token=True, foreign=False)
PUBLIC_SAME_ORIGIN: Final = Access(token=False, foreign=False)
PUBLIC_ANY_ORIGIN: Final = Access(token=False, foreign=True)

_AUDIENCES: Mapping[str, Access] = {
    "GET /healthz": PUBLIC_ANY_ORIGIN,
    "POST /TYPE": TOKEN_ANY_ORIGIN,
    "GET /TYPE/{id}": TOKEN_ANY_ORIGIN,
    "POST /TYPE/{id}": TOKEN_ANY_ORIGIN,
    "GET /TYPE/{id}/{number}.png": TOKEN_ANY_ORIGIN,
    "GET /TYPE/{id}/events": TOKEN_ANY_ORIGIN,
    "GET /readyz": PUBLIC_SAME_ORIGIN,
    "GET /": PUBLIC_SAME_ORIGIN,
    "GET /static": PUBLIC_SAME_ORIGIN,
    "GET /docs": PUBLIC_SAME_ORIGIN,
    "GET /openapi.json": PUBLIC_SAME_ORIGIN,
    "POST /session": PUBLIC_SAME_ORIGIN,
}
"""The routes that are not the owner's alone."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_OWN_SITES = {"same-origin", "none"}


def route_name(method: str, path: str) -> str:
    """Return the name of a route, e.g. `GET /TYPE/{id}`: one for all types, and for HEAD and GET.

    `path` has names for what varies, as aiohttp's `canonical` has.
    """
    first, *others = path.removeprefix("/").removesuffix("{slash}").split("/")
    if first in {*JobType, "{name}", "{type}"}:
        first = "TYPE"
    if first == "static":
        others = []
    method = hdrs.METH_GET if method == hdrs.METH_HEAD else method
    return f"{method} /{'/'.join([first, *others])}"


def access_of(method: str, path: str) -> Access:
    """Return whom a route is for, by its method and its path with names for what varies."""
    return _AUDIENCES.get(route_name(method, path), TOKEN_SAME_ORIGIN)


def require_lock(settings: Settings) -> None:
    """Raise `UsageError` where the server would be open to a network by mistake."""
    if settings.token and not settings.auth:
        raise UsageError("--token and --no-auth contradict each other; leave one of them away.")
    if settings.auth and not settings.token and not is_loopback(settings.host):
        raise UsageError(
            f"Others can reach {settings.host}. Give them a token (SDREST_TOKEN or --token), or "
            "say --no-auth to let in whoever comes."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; what is none at all is not judged here."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return True
    addresses = (str(address[0]).partition("%")[0] for _, _, _, _, address in found)
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


class AccessPolicy:
    """Lets requests in, or raises why not. Made once; each request costs a few look-ups."""

    def __init__(self, settings: Settings) -> None:
        self._names = frozenset(_names(settings)) if is_loopback(settings.host) else None
        self._origins = frozenset(settings.cors_origin)
        self._token = settings.token.encode()
        mark = hmac.digest(self._token, b"sdrest session", "sha256").hex()
        self.cookie_name = f"sdrest-{mark[:8]}"  # cookies of servers on other ports are others
        self.cookie_value = mark[8:]
        self._routes: dict[web.AbstractRoute, Access] = {}
        self._shared: set[web.AbstractResource] = set()

    @property
    def locked(self) -> bool:
        """Whether there is a token."""
        return bool(self._token)

    def watch(self, router: web.UrlDispatcher) -> None:
        """Look up the audience of each route that `router` has by now."""
        for route in router.routes():
            resource = route.resource
            if resource is not None:
                whom = self._routes[route] = access_of(route.method, resource.canonical)
                if whom.foreign:
                    self._shared.add(resource)

    def access_of(self, request: web.Request) -> Access:
        """Return whom the request's address is for. That there is none may be known to all.

        A preflight is for whom any method of its address is for.
        """
        match = request.match_info
        found = self._routes.get(match.route)
        if found is not None:
            return found
        shared = match.http_exception is not None or match.route.resource in self._shared
        return TOKEN_ANY_ORIGIN if shared else TOKEN_SAME_ORIGIN

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request in, or raise why not. Preflights carry no token, and do nothing."""
        if not self._is_named(request):
            raise UnknownHostError
        if request.method == hdrs.METH_OPTIONS:
            return await handler(request)
        whom = self.access_of(request)
        if not whom.foreign and self._is_foreign(request):
            raise ForeignOriginError
        if whom.token and self._token and not self._is_authorized(request):
            raise UnauthorizedError
        return await handler(request)

    def knows(self, token: str) -> bool:
        """Whether this is the token, in a time that tells nothing of it."""
        given = token.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(
            hmac.digest(self._token, given, "sha256"),
            hmac.digest(self._token, self._token, "sha256"),
        )

    def _is_named(self, request: web.Request) -> bool:
        """Whether the Host header is a name of this server. Browsers always send one.

        A trusted proxy may pass on a name of its own where a token is needed besides. Without a
        token the name could be that of a page whose DNS entry leads here, and X-Forwarded-Host
        would be from its script.
        """
        host = request.headers.get(hdrs.HOST)
        if host is None or self._names is None:
            return True
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if name.lower().removesuffix(".") in self._names:
            return True
        return self.locked and address(request).host is not None

    def _is_foreign(self, request: web.Request) -> bool:
        """Whether a browser says that a page of another origin is behind the request."""
        headers = request.headers
        origin, site = headers.get(hdrs.ORIGIN), headers.get("Sec-Fetch-Site", "none")
        if origin is None:
            return site not in _OWN_SITES and not _is_visit(request)
        if origin in self._origins:
            return False
        if origin != "null" and site == "same-origin":  # also where a proxy changed Host
            return False
        return not _is_own(origin, request)

    def _is_authorized(self, request: web.Request) -> bool:
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is not None:
            scheme, _, token = header.partition(" ")
            return scheme.lower() == "bearer" and self.knows(token.strip())
        if hdrs.COOKIE not in request.headers:
            return False
        value = request.cookies.get(self.cookie_name, "").encode()
        return hmac.compare_digest(value, self.cookie_value.encode())


def _is_own(origin: str, request: web.Request) -> bool:
    """Whether an origin is the server's, by its Host or by what a trusted proxy says."""
    forwarded = address(request)
    scheme, _, host = origin.partition("://")
    if forwarded.scheme is not None and forwarded.scheme != scheme:
        return False
    if forwarded.host is None:
        return host == request.headers.get(hdrs.HOST)
    return host == forwarded.host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _is_visit(request: web.Request) -> bool:
    """Whether a person follows a link to here: what opens is a page of its own, unseen by others.

    The security headers see to it that no other page has it in a frame.
    """
    reads = request.method in {hdrs.METH_GET, hdrs.METH_HEAD}
    return reads and request.headers.get("Sec-Fetch-Dest") == "document"


def _names(settings: Settings) -> Iterator[str]:
    """Yield what a Host header may say, without its port."""
    machine = socket.gethostname().lower().removesuffix(".")
    short = machine.partition(".")[0]
    hosts = [*LOOPBACK_NAMES, settings.host.lower(), machine, short, f"{short}.local"]
    hosts += [urlsplit(origin).hostname or "" for origin in settings.cors_origin]
    for host in filter(None, hosts):
        yield f"[{host}]" if ":" in host else host
