"""Who may use the server: its Host names, its token, pages of other origins.

Each route of `routes` declares its own `Access`.
"""

import base64
import hmac
import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from sdrest.errors import ForeignOriginError, UnauthorizedError, UnknownHostError, UsageError
from sdrest.hosts import url_host
from sdrest.settings import LOOPBACK_NAMES, Settings
from sdrest.web.requests.proxy import address
from sdrest.web.route import BASIC_ANY_ORIGIN, TOKEN_SAME_ORIGIN, Access, Handler, Registered

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_API_KEY = "api-key"
_OWN_SITES = {"same-origin", "none"}


def require_lock(settings: Settings) -> None:
    """Raise `UsageError` where the server would be open to a network by mistake."""
    if settings.token and not settings.auth:
        raise UsageError("--token and --no-auth contradict each other; leave one of them out.")
    if settings.auth and not settings.token and not is_loopback(settings.host):
        raise UsageError(
            f"Others can reach {settings.host}. Give them a token (SDREST_TOKEN or --token), or "
            "use --no-auth to answer everybody."
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
    """Checks who makes a request, for the application whose routes are `routes`."""

    def __init__(self, settings: Settings, routes: Registered) -> None:
        self._names = frozenset(_names(settings)) if is_loopback(settings.host) else None
        self._origins = frozenset(settings.cors_origin)
        self._token = settings.token.encode()
        mark = hmac.digest(self._token, b"sdrest session", "sha256").hex()
        self.cookie_name = f"sdrest-{mark[:8]}"  # cookies of servers on other ports are others
        self.cookie_value = mark[8:]
        self._routes = {route: declared.access for route, declared in routes.items()}
        self._shared = {route.resource for route, access in self._routes.items() if access.foreign}

    @property
    def locked(self) -> bool:
        """Whether there is a token."""
        return bool(self._token)

    def access_of(self, request: web.Request) -> Access:
        """Return the access policy of the route that a request matched.

        An unknown address is open to pages of any origin. A preflight has the widest policy of its
        address.
        """
        match = request.match_info
        found = self._routes.get(match.route)
        if found is not None:
            return found
        shared = match.http_exception is not None or match.route.resource in self._shared
        return BASIC_ANY_ORIGIN if shared else TOKEN_SAME_ORIGIN

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request that its route's policy forbids. Preflights carry no token."""
        if not self._is_named(request):
            raise UnknownHostError
        if request.method == hdrs.METH_OPTIONS:
            return await handler(request)
        access = self.access_of(request)
        if not access.foreign and self._is_foreign(request):
            raise ForeignOriginError
        if access.token and self._token and not self._is_authorized(request, basic=access.basic):
            raise UnauthorizedError
        return await handler(request)

    def knows(self, token: str) -> bool:
        """Whether this is the token, in constant time."""
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

    def _is_authorized(self, request: web.Request, *, basic: bool) -> bool:
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is not None:
            scheme, _, token = header.partition(" ")
            if basic and scheme.lower() == "basic":
                return self.knows(_password(token.strip()))
            return scheme.lower() == "bearer" and self.knows(token.strip())
        if _API_KEY in request.headers:  # clients with settings for Azure
            return self.knows(request.headers[_API_KEY])
        if hdrs.COOKIE not in request.headers:
            return False
        value = request.cookies.get(self.cookie_name, "").encode()
        return hmac.compare_digest(value, self.cookie_value.encode())


def _password(credentials: str) -> str:
    """Return the password of Basic credentials; empty if they are malformed."""
    try:
        text = base64.b64decode(credentials, validate=True).decode(errors="surrogateescape")
    except ValueError:
        return ""
    return text.partition(":")[2]


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
    yield from map(url_host, filter(None, hosts))


ACCESS = web.AppKey("access", AccessPolicy)
