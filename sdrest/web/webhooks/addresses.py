"""Which addresses a webhook may have: not those of this machine and of private networks.

Otherwise a client could let the server send requests to programs that only it can reach.
"""

import ipaddress
import socket
from collections.abc import Iterator

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class PrivateAddressError(OSError):
    """An address is of this machine or of a private network."""


def is_public(host: str) -> bool:
    """Return False for an address of a private network; True for names, which are looked up."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().rstrip(".").rpartition(".")[2] != "localhost"
    return all(one.is_global and not one.is_multicast for one in _meant(address))


def _meant(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Yield the IPv4 addresses inside an IPv6 address, which a network may translate it to.

    Without one, yield the address itself.
    """
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    inner = [one for one in found if one is not None]
    yield from inner or [address]


class PublicResolver(AbstractResolver):
    """Looks up names and leaves out addresses that are not public, unless they are allowed."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name; raises `PrivateAddressError` where none is allowed."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [item for item in found if self._private or is_public(item["host"])]
        if not allowed:
            raise PrivateAddressError
        return allowed

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
