"""Read a usable certificate and report what is wrong with it: its dates, its names, its signer."""

import contextlib
import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdrest.settings import Settings

_LAST_DAYS = dt.timedelta(days=30)
"""How long before its end a certificate is reported."""

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: an expired certificate can be read."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of the default host: a certificate for one of them is good enough."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server's certificate says. Names are those of subjectAltName, in lower case."""

    begins: dt.datetime
    ends: dt.datetime
    names: tuple[str, ...]
    self_signed: bool = False

    def covers(self, host: str) -> bool:
        """Whether clients accept the certificate for a host name or address."""
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            parent = host.lower().partition(".")[2]
            return host.lower() in self.names or (bool(parent) and f"*.{parent}" in self.names)
        return address in self.names


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and what to do. `fatal`: clients refuse the certificate."""

    message: str
    remedy: str
    fatal: bool = True


def read(path: Path, serving: ssl.SSLContext) -> Certificate | Problem:
    """Return what the certificate at `path` says; a `Problem` if no client can accept it.

    `serving` is the server's context with this certificate. The standard library reads a
    certificate only in a handshake, which takes place in memory.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client.verify_flags |= _NO_CHECK_TIME
    try:
        client.load_verify_locations(path)
        details: Any = handshake(client, serving).getpeercert() or {}
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None) or error.reason
        return Problem(f"Clients refuse the certificate {path}: {reason}.", _ANOTHER)
    names = details.get("subjectAltName", ())
    return Certificate(
        begins=_time(details["notBefore"]),
        ends=_time(details["notAfter"]),
        names=tuple(_name(kind, value) for kind, value in names),
        self_signed=details["issuer"] == details["subject"],
    )


def handshake(
    client: ssl.SSLContext, server: ssl.SSLContext, *, name: str = "localhost"
) -> ssl.SSLObject:
    """Connect client and server in memory; return the client's side. Raises `ssl.SSLError`."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    while True:
        try:
            asking.do_handshake()
        except ssl.SSLWantReadError:
            with contextlib.suppress(ssl.SSLWantReadError):
                answering.do_handshake()
        else:
            return asking


def problems(
    read: Certificate, settings: Settings, *, now: dt.datetime | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a certificate for these settings at the time `now`."""
    yield from _time_problems(read, settings, now or dt.datetime.now(dt.UTC))
    yield from _name_problems(read, settings)


_ANOTHER = "Get one for servers, with a subjectAltName."


def _time_problems(read: Certificate, settings: Settings, now: dt.datetime) -> Iterator[Problem]:
    remedy = _renew(settings)
    if now > read.ends:
        yield Problem(
            f"The certificate ended on {read.ends:%Y-%m-%d}, so clients refuse it.", remedy
        )
    elif now < read.begins:
        yield Problem(
            f"The certificate begins on {read.begins:%Y-%m-%d}, so clients refuse it.",
            "Check this machine's clock.",
        )
    elif read.ends - now < _LAST_DAYS:
        yield Problem(f"The certificate ends on {read.ends:%Y-%m-%d}.", remedy, fatal=False)


def _name_problems(read: Certificate, settings: Settings) -> Iterator[Problem]:
    host = settings.host.lower()
    if not read.names:
        yield Problem(
            "The certificate is for no host at all, so clients refuse it.",
            _ANOTHER,
        )
    elif _is_unspecified(host):
        return  # the certificate may be for a name that this machine does not know
    elif not any(map(read.covers, _LOOPBACK if host in _LOOPBACK else (host,))):
        wanted = "localhost" if host in _LOOPBACK else host
        yield Problem(
            f"The certificate is for {', '.join(read.names)}, not for {wanted}, so "
            f"clients refuse https://{f'[{wanted}]' if ':' in wanted else wanted}.",
            _renew(settings),
            fatal=False,  # clients may use another name of the server
        )


def _renew(settings: Settings) -> str:
    if settings.given & {"cert", "key"}:
        return (
            f"Put another one in the place of {settings.cert}; the server takes it while it runs."
        )
    return (
        f"Delete {settings.cert} and {settings.key} and start the server again: it makes new ones."
    )


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(text), dt.UTC)


def _name(kind: str, value: str) -> str:
    if kind == "IP Address":
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(value.strip()))
    return value.lower()
