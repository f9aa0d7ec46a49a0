"""Which addresses a webhook may have: not those of this machine and of private networks.

Otherwise a client could let the server send requests to programs that only it can reach.
"""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver


def is_public(host: str) -> bool:
    """Return False for an address of a private network; True for names, which are looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".") != "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_global)


class PublicResolver(AbstractResolver):
    """Looks up names and leaves out addresses that are not public, unless they are allowed."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raises OSError where none is left."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [item for item in found if self._private or is_public(item["host"])]
        if not allowed:
            raise OSError(f"{host} is a name of this machine or of a private network.")
        return allowed

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
