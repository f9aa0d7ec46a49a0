"""`web/server.py` uses private names of aiohttp: this fails where a release changes them."""

import inspect

from aiohttp import web, web_protocol


async def answer(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response()


async def test_the_private_names_of_aiohttp_exist() -> None:
    assert inspect.iscoroutinefunction(web.AppRunner._make_server)
    assert "_kwargs" in vars(web.Server(answer))
    slots = web.RequestHandler.__slots__
    assert {"_messages", "access_logger", "_logging_enabled"} <= set(slots)
    assert {"status", "exc", "message"} <= set(inspect.signature(web_protocol._ErrInfo).parameters)
