"""Write a self-signed certificate for this machine.

It has what browsers, curl and Python's strict checks require: names in subjectAltName, at most
825 days, serverAuth, and no authority to sign others.

`python -m sdrest.commands.certificate.self_signed CERT KEY HOST...` writes one.
"""

import datetime as dt
import ipaddress
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = dt.timedelta(days=820)
"""Apple's systems refuse certificates that are valid for more than 825 days."""

_CLOCK_SKEW = dt.timedelta(hours=1)


def write(
    cert: Path, key_file: Path, *, hosts: Iterable[str], now: dt.datetime | None = None
) -> None:
    """Write a certificate for `hosts`, valid from `now`, and its key (a new file, mode 0600)."""
    key = ec.generate_private_key(ec.SECP256R1())
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    cert.write_bytes(
        _sign(key, hosts, now or dt.datetime.now(dt.UTC)).public_bytes(serialization.Encoding.PEM)
    )


def _sign(
    key: ec.EllipticCurvePrivateKey, hosts: Iterable[str], now: dt.datetime
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sdrest on this machine")])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
    )
    extensions: Mapping[x509.ExtensionType, bool] = {
        x509.SubjectAlternativeName(list(map(_general_name, hosts))): False,
        x509.BasicConstraints(ca=False, path_length=None): True,
        x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        ): True,
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]): False,
        x509.SubjectKeyIdentifier.from_public_key(public): False,
        x509.AuthorityKeyIdentifier.from_issuer_public_key(public): False,
    }
    for extension, critical in extensions.items():
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), hosts=sys.argv[3:])
