"""Who may take part in a cluster: mutual TLS, and the rule for addresses without it.

A program that reaches a port of Dask can run programs on its machine, so every connection needs a
certificate of the cluster's own authority on both sides. `sdrest cluster credentials` makes them,
in a file for the front and one for the workers. Such a file has, in this order, the certificate of
its machine, its key, and the certificate of the authority.
"""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sdrest.errors import UsageError
from sdrest.paths import expand

if TYPE_CHECKING:
    from distributed.security import Security

RENEW = "Make new files with `sdrest cluster credentials` and copy them to every machine."

_VERIFY_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""

_OTHER_AUTHORITY = (
    "The other machine has files of another cluster, or another program listens there. Both "
    "need files that the same `sdrest cluster credentials` made."
)
_EXPIRED = f"A certificate of the cluster has expired. {RENEW}"
_REASONS: Mapping[str, str] = {
    "TLSV1_ALERT_UNKNOWN_CA": _OTHER_AUTHORITY,
    "TLSV1_ALERT_DECRYPT_ERROR": _OTHER_AUTHORITY,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _EXPIRED,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "The other machine asks for a certificate.",
    "WRONG_VERSION_NUMBER": "The other machine does not speak TLS at this address.",
}
"""Sentences by OpenSSL's reasons."""


def refusal(address: str) -> str | None:
    """Return why a cluster must not listen on, or connect to, an address; None if it may. Pure.

    With `tls://` both sides show certificates; `tcp://` is left to this machine itself.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts = urlsplit("")
        host = None
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
    if parts.scheme not in {"tls", "tcp"} or not (host and is_bare):
        return f"should be an address such as tls://10.0.0.5:8786, not {address!r}."
    if parts.scheme == "tcp" and not _is_loopback(host):
        return (
            f"{address} is refused: without TLS everyone who reaches the port can run programs on "
            f"the cluster's machines. Run `sdrest cluster credentials` and use tls://{parts.netloc}."
        )
    return None


def own_host(address: str) -> str | None:
    """Return where a worker of a scheduler at `address` has to listen; None is everywhere. Pure.

    Without TLS that is the scheduler's own address, which `refusal` keeps on loopback.
    """
    parts = urlsplit(address)
    return None if parts.scheme == "tls" else parts.hostname


def security(address: str, credentials: str, *, option: str) -> "Security | None":
    """Return what Dask needs for an address, with the file of `--cluster-credentials`.

    None for an address that needs no TLS. Raises `UsageError` if the address, which `option` gave,
    is refused or the file cannot be used.
    """
    problem = refusal(address)
    if problem:
        raise UsageError(f"{option} {problem}")
    return read(expand(credentials)).security() if address.startswith("tls:") else None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A file with a machine's certificate and key, and the certificate of the authority, as PEM."""

    path: Path
    authority: str
    ends: dt.datetime

    def security(self) -> "Security":
        """Return what Dask needs; both sides of each connection show a certificate."""
        from distributed.security import Security  # noqa: PLC0415 (takes half a second)

        own = str(self.path.absolute())
        roles = {f"tls_{role}_cert": own for role in ("scheduler", "worker", "client")}
        newest = ssl.TLSVersion.TLSv1_3 if ssl.HAS_TLSv1_3 else ssl.TLSVersion.TLSv1_2
        return Security(
            require_encryption=True, tls_ca_file=self.authority, tls_min_version=newest, **roles
        )


def read(path: Path, *, now: dt.datetime | None = None) -> Credentials:
    """Return the credentials in a file. Raises `UsageError` if they cannot be used at `now`."""
    # A plain server does not need it.
    from cryptography import exceptions, x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    named = f"{path} (--cluster-credentials)"
    try:
        own, authority = x509.load_pem_x509_certificates(path.read_bytes())
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(path, password=_no_password)
        own.verify_directly_issued_by(authority)
    except ssl.SSLError as error:  # an OSError, too
        raise UsageError(f"{named}: the key is missing or of another certificate.") from error
    except OSError as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(
            f"Cannot read {named}: {reason}. On the front, `sdrest cluster credentials` makes "
            "cluster.pem, and cluster-worker.pem to copy to each worker."
        ) from error
    except (ValueError, TypeError, exceptions.InvalidSignature) as error:
        raise UsageError(f"{named} is not a file of `sdrest cluster credentials`.") from error
    begins, ends = own.not_valid_before_utc, own.not_valid_after_utc
    now = now or dt.datetime.now(dt.UTC)
    if now > ends:
        raise UsageError(f"{named} ended on {ends:%Y-%m-%d}. {RENEW}")
    if now < begins:
        raise UsageError(f"{named} begins on {begins:%Y-%m-%d}. Check this machine's clock.")
    return Credentials(path, authority.public_bytes(Encoding.PEM).decode(), ends)


def explain(error: BaseException) -> str | None:
    """Return a sentence about a connection that failed for its certificates; None for others."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _EXPIRED if cause.verify_code == _VERIFY_EXPIRED else _OTHER_AUTHORITY
        for reason, sentence in _REASONS.items():
            if reason in str(cause):  # Dask keeps the text alone
                return sentence
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _no_password() -> str:
    raise ValueError("encrypted")
