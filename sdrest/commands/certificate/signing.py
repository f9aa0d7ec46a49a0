"""Make keys and sign certificates.

They have what browsers, curl and Python's strict checks require.
"""

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CLOCK_SKEW = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as PEM, without a passphrase."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def sign(
    subject: str,
    lifetime: dt.timedelta,
    *,
    now: dt.datetime,
    authority: Signed | None = None,
    usages: Iterable[x509.ObjectIdentifier] = (),
    hosts: Iterable[str] = (),
) -> Signed:
    """Return a certificate with a new key, valid from `now`, signed by `authority` or itself.

    One without `usages` is an authority, which signs certificates and nothing else.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public, usages, hosts = key.public_key(), list(usages), list(hosts)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.certificate.subject if authority else name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + lifetime)
    )
    issuer = authority.key.public_key() if authority else public
    extensions: Mapping[x509.ExtensionType, bool] = {
        x509.BasicConstraints(ca=not usages, path_length=None if usages else 0): True,
        x509.KeyUsage(
            digital_signature=bool(usages),
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=not usages,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        ): True,
        x509.SubjectKeyIdentifier.from_public_key(public): False,
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer): False,
        **({x509.ExtendedKeyUsage(usages): False} if usages else {}),
        **({x509.SubjectAlternativeName(list(map(_general_name, hosts))): False} if hosts else {}),
    }
    for extension, critical in extensions.items():
        builder = builder.add_extension(extension, critical=critical)
    return Signed(builder.sign(authority.key if authority else key, hashes.SHA256()), key)


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read. Raises `FileExistsError`."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
