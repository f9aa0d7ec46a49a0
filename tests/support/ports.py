"""Ports for programs that must be told one, and bind it later."""

import itertools
import os
import socket

_FIRST, _COUNT, _STRIDE = 20_000, 10_000, 61
"""Below what Linux and macOS give to connections, and to servers that take any port."""

_calls = itertools.count()


def free_port() -> int:
    """Return a port that is free, and that nobody gets who asks for any port.

    Each call returns another one, and other processes begin elsewhere.
    """
    while True:
        port = _FIRST + (os.getpid() * _STRIDE + next(_calls)) % _COUNT
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("", port))
            except OSError:
                continue
            return port
