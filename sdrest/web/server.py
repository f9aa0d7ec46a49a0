"""The server under the application: what is no valid HTTP is answered as every other error is."""

from http import HTTPStatus

from aiohttp import web

from sdrest.web.errors import status_response
from sdrest.web.security import HEADERS

_NOT_HTTP = "This is not a valid HTTP request."


class Runner(web.AppRunner):
    """An `AppRunner` whose connections answer in JSON, without a word on the server's insides."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            **made._kwargs,  # noqa: SLF001 (what aiohttp's runner has made of its options)
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
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
