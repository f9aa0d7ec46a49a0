"""Addresses of schedulers as people write them."""

import contextlib
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
