"""A small HTTP client over TLS and keep-alive, with the least work for each answer.

One thread and non-blocking sockets; it reads what the two servers answer, and refuses the rest.
"""

import gc
import re
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Self

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)\r\n", re.IGNORECASE)
_RECORD = 16 * 1024
"""Bytes of a TLS record, the most that one read returns."""
_PATIENCE = 60.0
"""Seconds without any answer after which a server counts as hung."""


class LoadError(Exception):
    """A server answered something else than asked for, or nothing."""


@dataclass(frozen=True)
class Request:
    """A request; with a body it is a POST.

    `expect` is the status of the right answer; 0 stands for 200 or, with a body, 302.
    """

    path: str
    body: bytes = b""
    kind: str = "application/json"
    expect: int = 0

    @property
    def method(self) -> str:
        """GET or POST."""
        return "POST" if self.body else "GET"

    @cached_property
    def status(self) -> int:
        """The status of the right answer."""
        return self.expect or (302 if self.body else 200)

    @cached_property
    def wire(self) -> bytes:
        """What is sent."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        if self.body:
            head += f"Content-Type: {self.kind}\r\nContent-Length: {len(self.body)}\r\n"
        return f"{head}\r\n".encode() + self.body


class Connection:
    """One connection to a server on this machine, and the answer that it waits for."""

    def __init__(self, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate was made for this run
        plain = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain)
        self.request = Request("/")
        self.started = 0.0
        self.body = bytearray()
        self._head = bytearray()
        self._missing = -1  # bytes of the body still to come; -1: the head is not complete

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, request: Request) -> None:
        """Send a request; on a non-blocking socket only one that its buffer takes."""
        self._head.clear()
        self.body.clear()
        self._missing = -1
        self.request = request
        self.started = time.perf_counter()
        self.socket.sendall(request.wire)

    def receive(self) -> bool:
        """Take what has arrived and return whether the answer is complete and right."""
        while self._missing:
            try:
                data = self.socket.recv(_RECORD)
            except ssl.SSLWantReadError:
                return False
            if not data:
                raise LoadError(f"The server hung up after {bytes(self._head[:200])!r}.")
            self._take(data)
        if self.status != self.request.status:
            raise LoadError(f"{self.request.wire!r} was answered {bytes(self._head)!r}.")
        return True

    def ask(self, request: Request) -> bytes:
        """Send a request and return the body of its answer."""
        self.send(request)
        self.receive()
        return bytes(self.body)

    @property
    def status(self) -> int:
        """The status of the answer, e.g. 200."""
        return int(self._head[9:12])

    @property
    def location(self) -> str:
        """Where the answer redirects to."""
        match = _LOCATION.search(self._head)
        if not match:
            raise LoadError(f"No redirection: {bytes(self._head)!r}.")
        return match[1].decode()

    def _take(self, data: bytes) -> None:
        if self._missing > 0:
            self._missing -= len(data)
            self.body += data
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return
        match = _LENGTH.search(self._head, 0, end + 2)
        if not match:
            raise LoadError(f"An answer without a length: {bytes(self._head[:200])!r}.")
        self.body += self._head[end + 4 :]
        self._missing = int(match[1]) - len(self.body)


def run(
    port: int, requests: Iterator[Request], *, connections: int, seconds: float = 600.0
) -> tuple[float, list[float]]:
    """Send `requests` until they or the seconds are used up.

    Return how long that took and each answer's time, in seconds.
    """
    latencies: list[float] = []
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        idle = [stack.enter_context(Connection(port)) for _ in range(connections)]
        for connection in idle:
            connection.socket.setblocking(False)  # noqa: FBT003 (the signature of sockets)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        gc.disable()
        stack.callback(gc.enable)
        start = time.perf_counter()
        busy = 0
        for connection, request in zip(idle, islice(requests, connections), strict=False):
            connection.send(request)
            busy += 1
        while busy:
            ready = selector.select(_PATIENCE)
            if not ready:
                raise LoadError(f"No answer within {_PATIENCE:g} seconds.")
            for key, _ in ready:
                connection = key.data
                if not connection.receive():
                    continue
                end = time.perf_counter()
                latencies.append(end - connection.started)
                following = next(requests, None) if end - start < seconds else None
                if following is None:
                    busy -= 1
                else:
                    connection.send(following)
        return time.perf_counter() - start, latencies
