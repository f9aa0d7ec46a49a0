"""Open the sockets that the server listens on."""

import errno
import socket

from sdrest.errors import UsageError

_BACKLOG = 128


def listen(host: str, port: int, *, option: str = "--port") -> list[socket.socket]:
    """Listen on every address of `host`; port 0 becomes one free port, the same on all.

    The server does this first, so that a second one with the same port ends before it touches the
    jobs of the first. Raises `UsageError`, which says to choose another `option`.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"Cannot listen on {host}: it is not an address of this machine."
        ) from error
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(addresses):
            sockets.append(_listen(family, (address[0], port, *address[2:])))
            port = sockets[0].getsockname()[1]
    except OSError as error:
        for opened in sockets:
            opened.close()
        reason = {
            errno.EADDRINUSE: f"another program listens there; end it or choose another {option}",
            errno.EACCES: f"ports below 1024 need more rights; choose another {option}",
        }.get(error.errno or 0, str(error.strerror))
        raise UsageError(f"Cannot listen on {host} port {port}: {reason}.") from error
    return sockets


def _listen(family: socket.AddressFamily, address: tuple[str | int, ...]) -> socket.socket:
    created = socket.socket(family, socket.SOCK_STREAM)
    try:
        created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            created.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        created.bind(address)
        created.listen(_BACKLOG)
    except BaseException:
        created.close()
        raise
    return created
