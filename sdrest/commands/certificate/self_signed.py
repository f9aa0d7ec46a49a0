"""Write a self-signed certificate for this machine.

It has what browsers, curl and Python's strict checks require: names in subjectAltName, at most
825 days, serverAuth, and no authority to sign others.

`python -m sdrest.commands.certificate.self_signed CERT KEY HOST...` writes one.
"""

import datetime as dt
import sys
from collections.abc import Iterable
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID

from sdrest.commands.certificate.signing import sign, write_secret

_LIFETIME = dt.timedelta(days=820)
"""Apple's systems refuse certificates that are valid for more than 825 days."""


def write(
    cert: Path, key_file: Path, *, hosts: Iterable[str], now: dt.datetime | None = None
) -> None:
    """Write a certificate for `hosts`, valid from `now`, and its key (a new file, mode 0600)."""
    signed = sign(
        "sdrest on this machine",
        _LIFETIME,
        now=now or dt.datetime.now(dt.UTC),
        usages=[ExtendedKeyUsageOID.SERVER_AUTH],
        hosts=hosts,
    )
    write_secret(key_file, signed.key_pem)
    cert.write_bytes(signed.certificate_pem)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), hosts=sys.argv[3:])
