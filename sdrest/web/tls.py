"""TLS for the server: certificates that change while it runs, and an answer to plain HTTP.

asyncio and uvloop ask the context that they are given for an `SSLObject` per connection
(`wrap_bio`), and call its `do_handshake` when bytes arrive until it succeeds. Both are
public in `ssl`, so this needs nothing of their insides: a connection takes the context of its time,
and the handshake of a client that sends HTTP writes an answer in place of TLS.
"""

import math
import re
import ssl
from http import HTTPStatus
from typing import Any, Self

from aiohttp import hdrs

from sdrest.errors import ErrorCode
from sdrest.web.responses.render import JSON, error_body
from sdrest.web.responses.security import HEADERS

_LARGEST_HEAD = 16 * 1024
"""Bytes of a request's head that are kept until it is answered."""

_REQUEST = re.compile(rb"([A-Z]{1,20}) (\S+) HTTP/[0-9.]+\r?\n")
_BEGINNING = re.compile(rb"[A-Z]{1,20}( [^\r\n]*)?\r?")
_HEAD_END = re.compile(rb"\n\r?\n")
_HOST = re.compile(
    rb"\nhost:[ \t]*((?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?)[ \t]*\r?\n", re.IGNORECASE
)
_LENGTH = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding:", re.IGNORECASE)
_TARGET = re.compile(rb"/[!-~]*")


class ServerContext(ssl.SSLContext):
    """The context that a listening socket gets; each new connection uses `current`."""

    current: ssl.SSLContext

    def __new__(cls, _current: ssl.SSLContext) -> Self:
        """Make an empty context: nothing of it reaches a client."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: ssl.SSLContext) -> None:
        self.use(current)

    def use(self, current: ssl.SSLContext) -> None:
        """Let connections from now on use another context; those that are open keep theirs."""
        current.sslobject_class = _Handshake
        self.current = current

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any
    ) -> ssl.SSLObject:
        """Return the TLS side of a connection."""
        made = self.current.wrap_bio(incoming, outgoing, *args, **options)
        if isinstance(made, _Handshake):
            made.look_at(incoming, outgoing)
        return made


class _Handshake(ssl.SSLObject):
    """A TLS connection; where the first bytes are HTTP, the handshake answers them instead.

    Once the request's body has come, which a close would cut off with the answer, the handshake
    succeeds and the connection is at its end at once, as after a close_notify. A client that
    neither sends nor closes has the time that a handshake may take.
    """

    _incoming: ssl.MemoryBIO | None = None
    _head = b""
    _missing: float = 0
    _answered = False
    _ended = False

    def look_at(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        """Look at the first bytes of `incoming` before TLS does."""
        self._incoming, self._outgoing = incoming, outgoing

    def do_handshake(self) -> None:
        """Go on with the handshake; raises `ssl.SSLError`."""
        if self._incoming is not None and self._incoming.pending:
            self._receive(self._incoming)
        if not self._ended:
            super().do_handshake()

    def _receive(self, incoming: ssl.MemoryBIO) -> None:
        data = incoming.read()
        if self._answered:
            self._missing -= len(data)
        else:
            self._head += data
            if not is_http(self._head):
                incoming.write(self._head)
                self._incoming = None  # TLS, or nothing that is known
                return
            if _HEAD_END.search(self._head) or len(self._head) > _LARGEST_HEAD:
                self._outgoing.write(answer(self._head))
                self._answered = True
                self._missing = missing_body(self._head)
                self._head = b""
        if not self._answered or self._missing > 0:
            raise ssl.SSLWantReadError
        self._ended = True
        incoming.write(b"\0")  # uvloop reads on where there is something to read

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 (the name in `ssl`)
        """Read; an answered request is the end of the connection."""
        if self._ended:
            return b"" if buffer is None else 0
        return super().read(len) if buffer is None else super().read(len, buffer)

    def getpeercert(self, binary_form: bool = False) -> Any:  # noqa: FBT001, FBT002 (as in `ssl`)
        """Return the client's certificate, which an answered request has not."""
        return None if self._ended else super().getpeercert(binary_form)

    def unwrap(self) -> None:
        """End TLS, where there is any."""
        if not self._ended:
            super().unwrap()


def is_http(head: bytes) -> bool:
    """Whether bytes are the beginning of an HTTP/1 request. TLS begins with a control character."""
    line, end, _ = head.partition(b"\n")
    return bool(_REQUEST.fullmatch(line + end) if end else _BEGINNING.fullmatch(line))


def missing_body(head: bytes) -> float:
    """Return how many bytes of a request's body are to come; infinity where the head is silent."""
    end = _HEAD_END.search(head)
    if end is None or _CHUNKED.search(head):
        return math.inf
    length = _LENGTH.search(head)
    return int(length[1]) - (len(head) - end.end()) if length else 0


def answer(head: bytes) -> bytes:
    """Return the answer to plain HTTP, as bytes: a redirect where the request names its host."""
    found = _REQUEST.match(head)
    method, target = found.groups() if found else (b"", b"")
    host = _HOST.search(head)
    place = ""
    if host and _TARGET.fullmatch(target):
        place = f"https://{host[1].decode()}{target.decode()}"
    status = HTTPStatus.PERMANENT_REDIRECT if place else HTTPStatus.BAD_REQUEST
    message = f"This server speaks HTTPS. Use {place or 'https:// in place of http://'}."
    body = error_body(ErrorCode.MALFORMED_REQUEST, message, {})
    headers: dict[str, str] = {
        hdrs.CONTENT_TYPE: JSON,
        hdrs.CONTENT_LENGTH: str(len(body)),
        hdrs.CACHE_CONTROL: "no-store",  # the port may speak plain HTTP one day
        hdrs.CONNECTION: "close",
        **HEADERS,
    }
    if place:
        headers[hdrs.LOCATION] = place
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else body)
