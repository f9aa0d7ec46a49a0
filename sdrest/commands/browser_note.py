"""What to expect of a browser that meets a self-signed certificate."""

import contextlib
import ssl
from pathlib import Path
from typing import Any

_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME: whether it has expired is another question."""


def browser_note(cert: Path, serving: ssl.SSLContext) -> str | None:
    """Return what to tell people before they open the page; None where an authority has signed.

    `serving` is the server's context with the certificate of the file `cert`.
    """
    if not _is_self_signed(cert, serving):
        return None
    return (
        "Browsers warn at the first visit, since the certificate is self-signed: choose "
        "Advanced (Show Details in Safari) and go on to the page."
    )


def _is_self_signed(cert: Path, serving: ssl.SSLContext) -> bool:
    """Whether a client that trusts the certificate alone needs no authority above it.

    Only a handshake tells without another library; it takes place in memory.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        trusting.load_verify_locations(cert)
        client = trusting.wrap_bio(to_client, to_server)
        server = serving.wrap_bio(to_server, to_client, server_side=True)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                with contextlib.suppress(ssl.SSLWantReadError):
                    server.do_handshake()
    except (ssl.SSLError, OSError):
        return False
    told: Any = client.getpeercert() or {}
    return bool(told.get("issuer") == told.get("subject"))
