"""Addresses of schedulers as people write them, and ports."""

import contextlib
import socket
from urllib.parse import urlsplit

PORT = 8786
"""The port of a scheduler where an address has none: Dask's own."""


def complete(address: str) -> str:
    """Return an address with its scheme and port: `tls://` and 8786 where it has none."""
    full = address if "://" in address else f"tls://{address}"
    with contextlib.suppress(ValueError):
        parts = urlsplit(full)
        if parts.netloc and parts.port is None and not parts.netloc.endswith(":"):
            return f"{full}:{PORT}"
    return full


def require_free(host: str, port: int) -> None:
    """Raise `OSError` if nobody can listen there; Dask would leave a socket open."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason, _, _ = (error.strerror or str(error)).partition(" (while attempting to bind")
        raise OSError(error.errno, reason) from error
