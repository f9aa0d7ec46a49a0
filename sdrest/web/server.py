"""The server under the application: invalid HTTP gets an answer like every other error."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_protocol import _ErrInfo

from sdrest.web.monitoring.traffic import TRAFFIC
from sdrest.web.requests.connections import Connections, Departures
from sdrest.web.requests.proxy import PROXIES
from sdrest.web.responses.errors import http_error_response, status_response
from sdrest.web.responses.security import HEADERS
from sdrest.web.route import Handler

_NOT_HTTP = "This is not a valid HTTP request."


class Runner(web.AppRunner):
    """An `AppRunner` whose connections answer in JSON, without a word on the server's insides.

    A client that leaves an answer unread for `unread_seconds` is disconnected.
    """

    def __init__(
        self, app: web.Application, *, unread_seconds: float = 60.0, **options: Any
    ) -> None:
        super().__init__(app, **options)
        self._connections = Connections(patience=unread_seconds)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            _in_json(made.request_handler),
            self._connections,
            self.app[TRAFFIC],
            request_factory=self.app[PROXIES].wrap(made.request_factory),
            **made._kwargs,  # noqa: SLF001 (what aiohttp's runner has made of its options)
        )


def _in_json(handler: Handler) -> Handler:
    """Return a handler that answers what aiohttp refuses before any middleware: an Expect."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return http_error_response(error)

    return handle


class _Server(web.Server):
    def __init__(
        self,
        handler: Any,
        watched: Connections,
        traffic: AbstractAccessLogger,
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self._watched = watched
        self._traffic = traffic

    def __call__(self) -> web.RequestHandler:
        made = _Connection(self, self._watched, loop=self._loop, **self._kwargs)
        made.account_to(self._traffic)
        return made


class _Connection(web.RequestHandler):
    __slots__ = ("_broken", "_departures", "_transport", "_watched")

    def __init__(self, server: web.Server, watched: Connections, **options: Any) -> None:
        super().__init__(server, **options)
        self._watched = watched
        self._broken = False
        self._departures = Departures()

    def account_to(self, traffic: AbstractAccessLogger) -> None:
        """Count each answer in `traffic`; aiohttp would create an instance for each connection."""
        self.access_logger, self._logging_enabled = traffic, True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and be watched until the transport has ended, which may be after the answer."""
        super().connection_made(transport)
        self._transport = cast("asyncio.Transport", transport)
        self._watched.add(self._transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and interrupt the answer to a request of this connection."""
        self._watched.discard(self._transport)
        super().connection_lost(exc)
        self._departures.announce()

    @property
    def departures(self) -> Departures:
        """What is called once the client has gone."""
        return self._departures

    def data_received(self, data: bytes) -> None:
        """Take bytes until some are not HTTP: those that follow have no meaning.

        aiohttp (3.14.5) parses on, also with each read of a body that came before them, and queues
        an error each time, whose traceback holds what was read: 220 kB of parts took 206 MB.
        """
        if self._broken:
            return
        super().data_received(data)
        if self._messages and isinstance(last := self._messages[-1][0], _ErrInfo):
            self._broken = True
            last.exc.__traceback__ = None  # its frames hold this queue, and buffers with it

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what reached no handler. A client's mistake is nothing for the log."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size > 0:
            super().handle_error(request, status, exc, message)  # logs; raises if one has begun
        answer = status_response(
            HTTPStatus(status), _NOT_HTTP if status == HTTPStatus.BAD_REQUEST else None
        )
        answer.headers.update(HEADERS)
        answer.force_close()
        return answer
