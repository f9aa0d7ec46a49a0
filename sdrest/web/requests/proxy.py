"""Find the path prefix, host and scheme that a client used, behind a reverse proxy.

`--base-path` gives the prefix; a request has it in its path, or the proxy has removed it. The
headers X-Forwarded-Prefix, -Host and -Proto count from the addresses of `--trusted-proxy` alone.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from yarl import URL

from sdrest.flag_values import BasePath
from sdrest.job_types import JobType
from sdrest.settings import Settings

RequestFactory = Callable[..., web.BaseRequest]

_HOST = re.compile(r"([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_SCHEMES = {"http", "https"}
_JOB_PATH = re.compile(rf"(?<![^\s\"])(?=/(?:{'|'.join(JobType)})/[0-9a-f]{{32}})")


@dataclass(frozen=True, slots=True)
class Address:
    """How a client addresses the server.

    `prefix` is "" or the start of every path, e.g. `/sd`. `host` and `scheme` are None unless a
    trusted proxy names them.
    """

    prefix: str = ""
    host: str | None = None
    scheme: str | None = None


DIRECT = Address()

_ADDRESS = web.RequestKey("address", Address)


def address(request: web.BaseRequest) -> Address:
    """Return how the client addresses the server."""
    found: Address = request.get(_ADDRESS, DIRECT)
    return found


def prefix(request: web.BaseRequest) -> str:
    """Return what is before every path that the client sees: "" or e.g. `/sd`."""
    return address(request).prefix


def server_url(request: web.BaseRequest) -> str:
    """Return the address of this server as the client sees it, without a slash at its end."""
    place = address(request)
    return f"{place.scheme or request.scheme}://{place.host or request.host}{place.prefix}"


def with_prefix(text: str, prefix: str) -> str:
    """Return a text with `prefix` before each path of a job in it."""
    return _JOB_PATH.sub(prefix, text) if prefix else text


class Proxies:
    """Reads how clients address the server, and removes the prefix from the paths of requests."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.base_path
        self._trusted = settings.trusted_proxy

    def wrap(self, make_request: RequestFactory) -> RequestFactory:
        """Return a factory of requests whose handlers see their paths without the prefix."""
        if not (self._base or self._trusted):
            return make_request

        def make(message: Any, payload: Any, protocol: Any, *rest: Any) -> web.BaseRequest:
            found = self._address(message.headers, _peer(protocol))
            stripped = _without(message, (found.prefix, self._base))
            request = make_request(stripped, payload, protocol, *rest)
            request[_ADDRESS] = found
            return request

        return make

    def _address(self, headers: Mapping[str, str], peer: str | None) -> Address:
        if not self._is_trusted(peer):
            return Address(self._base)
        host = (_single(headers, "x-forwarded-host") or "").lower()
        scheme = (_single(headers, "x-forwarded-proto") or "").lower()
        return Address(
            self._prefix(_single(headers, "x-forwarded-prefix")),
            host if _HOST.fullmatch(host) else None,
            scheme if scheme in _SCHEMES else None,
        )

    def _prefix(self, forwarded: str | None) -> str:
        """Return the prefix that a proxy names; one that is not a path is ignored."""
        try:
            return self._base if forwarded is None else BasePath(forwarded)
        except ValueError:
            return self._base

    def _is_trusted(self, peer: str | None) -> bool:
        if peer is None or not self._trusted:
            return False
        found = ipaddress.ip_address(peer.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)  # IPv4 on a socket for both
        return any((mapped or found) in network for network in self._trusted)


PROXIES = web.AppKey("proxies", Proxies)


def _peer(protocol: Any) -> str | None:
    """Return the address of the other end of a connection."""
    transport = protocol.transport
    name = None if transport is None else transport.get_extra_info("peername")
    return name[0] if isinstance(name, tuple) else None


def _single(headers: Mapping[str, str], name: str) -> str | None:
    """Return the value of a header; None where there is none, or more than one."""
    values = [value for header, value in headers.items() if header.lower() == name]
    return values[0].strip() if len(values) == 1 and "," not in values[0] else None


def _without(message: Any, prefixes: Iterator[str] | tuple[str, ...]) -> Any:
    """Return the head of a request without the first of the prefixes that its path has."""
    path = message.url.raw_path
    for given in prefixes:
        if given and f"{path}/".startswith(f"{given}/"):
            rest = path.removeprefix(given) or "/"
            if rest.startswith("//"):
                return message  # it would be read as a host; there is no such route
            url = URL.build(path=rest, query_string=message.url.raw_query_string, encoded=True)
            return message._replace(path=url.raw_path_qs, url=url)
    return message
