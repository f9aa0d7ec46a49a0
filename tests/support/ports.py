"""Ports that a test leaves and takes again."""

import random
import socket
from contextlib import suppress

_PORTS = range(10_000, 32_768)
"""Below those that Linux and macOS give to programs that ask for any port."""


def port_to_keep() -> int:
    """Return a free port that no other program gets by chance while nobody listens there."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
