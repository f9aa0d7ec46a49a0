"""List this machine's names and addresses for a certificate, without asking a name server."""

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

_HOSTS_FILE = Path("/etc/hosts")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_MOST = 100
"""Names in one certificate: a machine with many containers has an address for each network."""


def machine_names() -> Iterator[str]:
    """Yield the host name, its `.local` name, its names in /etc/hosts, and the addresses."""
    machine = socket.gethostname().removesuffix(".")
    short = machine.partition(".")[0]
    yield from (machine, short, f"{short}.local")
    yield from _aliases({machine.lower(), short.lower()})
    yield from _addresses()


def usable(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that a certificate can hold, each once and in its notation."""
    return tuple(dict.fromkeys(filter(None, map(_normalised, names))))[:_MOST]


def _aliases(names: set[str]) -> Iterator[str]:
    """Yield the names beside one of `names` in /etc/hosts; Debian puts the full name there."""
    with suppress(OSError):
        for line in _HOSTS_FILE.read_text("utf-8", "replace").splitlines():
            _, *others = line.partition("#")[0].split() or [""]
            if names & {other.lower() for other in others}:
                yield from others


def _addresses() -> Iterator[str]:
    """Yield the interfaces' addresses, without link-local IPv6 ones: URLs cannot hold those."""
    with suppress(OSError):
        for interface in psutil.net_if_addrs().values():
            for address in interface:
                if address.family in {socket.AF_INET, socket.AF_INET6} and "%" not in (
                    address.address
                ):
                    yield address.address


def _normalised(name: str) -> str | None:
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    try:
        normalised = name.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return normalised if _NAME.fullmatch(normalised) else None
