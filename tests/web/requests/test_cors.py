"""CORS, on and off, and mistakes of the server itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from sdrest.settings import Settings
from sdrest.web.monitoring.traffic import TRAFFIC, Traffic
from sdrest.web.requests.proxy import PROXIES, Proxies
from sdrest.web.responses.errors import error_middleware
from sdrest.web.route import Handler
from sdrest.web.server import Runner
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

ALLOWED = "Access-Control-Allow-Origin"
ID = "0" * 32


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


@pytest.mark.parametrize("origin", ["https://example.com", "null", None])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/text-to-image", 422),
        ("GET", f"/text-to-image/{ID}", 404),
        ("GET", "/nope", 404),
        ("PUT", "/text-to-image", 405),
        ("OPTIONS", "/text-to-image", 204),
        ("OPTIONS", "/nope", 404),
        ("GET", "/healthz", 200),
    ],
)
async def test_every_answer_has_cors_headers_for_every_origin(
    site: Served, origin: str | None, method: str, path: str, status: int
) -> None:
    headers = {"Origin": origin} if origin else {}
    async with site.client.request(method, path, headers=headers) as response:
        assert response.status == status
        assert response.headers[ALLOWED] == "*"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/text-to-image", "POST"),
        (f"/text-to-image/{ID}", "GET"),
        (f"/inpaint-image/{ID}/1.png", "GET"),
    ],
)
async def test_a_cors_preflight_allows_the_methods_of_the_route(
    site: Served, path: str, method: str
) -> None:
    headers = {
        "Origin": "https://example.com",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type, x-other",
    }
    async with site.client.options(path, headers=headers) as response:
        assert response.status == 200
        assert response.headers[ALLOWED] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == method
        allowed = response.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert set(allowed) == {"content-type", "x-other"}


async def test_a_cors_preflight_for_other_methods_is_refused(site: Served) -> None:
    headers = {"Origin": "https://example.com", "Access-Control-Request-Method": "DELETE"}
    async with site.client.options(f"/text-to-image/{ID}", headers=headers) as response:
        assert response.status == 403
        assert (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/nope"),
        ("OPTIONS", "/text-to-image"),
        ("POST", "/text-to-image"),
    ],
)
async def test_with_no_cors_no_answer_has_cors_headers(
    tmp_path: Path, method: str, path: str
) -> None:
    async with (
        served(tmp_path, cors=False) as site,
        site.client.request(method, path, headers={"Origin": "https://a.example"}) as response,
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_an_internal_error_500_is_described_in_the_log_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise ZeroDivisionError("/a/path/of/the/server")

    async def gone(_: web.Request) -> web.Response:
        raise ConnectionResetError

    @web.middleware
    async def spoil(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/spoil":
            raise ZeroDivisionError("/a/path/of/the/server")
        return await handler(request)

    app = web.Application(middlewares=[spoil, error_middleware])
    app[TRAFFIC] = Traffic(CollectorRegistry(), {})
    app[PROXIES] = Proxies(Settings())
    app.router.add_get("/fail", fail)
    app.router.add_get("/gone", gone)
    runner = Runner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(root) as client:
            for path, status, code in (
                ("/fail", 500, "internal"),
                ("/spoil", 500, "internal"),
                ("/gone", 400, "malformed_request"),
            ):
                async with client.get(path) as response:
                    assert response.status == status
                    assert (await response.json())["error"]["code"] == code
                    assert "/a/path" not in await response.text()
    finally:
        await runner.cleanup()
    assert "/a/path/of/the/server" in caplog.text
