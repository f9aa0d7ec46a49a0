"""Access over real sockets: token (401), Host (421), Origin (403), session cookies."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.web import Served, served

pytestmark = pytest.mark.integration

TOKEN = "correct-horse/battery+staple=="
OURS = "https://pictures.example"
OTHER = "https://evil.example"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ID = "0" * 32
JOB = f"/text-to-image/{ID}"
MACHINE = socket.gethostname()
ALLOWED = "Access-Control-Allow-Origin"
OWNERS = [
    *(("GET", "/jobs"), ("GET", "/metrics"), ("GET", "/events"), ("DELETE", JOB)),
    *(("POST", f"{JOB}/cancel"), ("POST", f"{JOB}/retry")),
]
CLIENTS = [("POST", "/text-to-image"), ("GET", JOB), ("GET", f"{JOB}/1.png"), ("GET", "/nope")]
CLIENTS += [("GET", f"{JOB}/events"), ("GET", f"{JOB}/preview")]
PUBLIC_SAME_ORIGIN = [
    *(("GET", "/"), ("GET", "/static/app.js"), ("GET", "/docs")),
    *(("GET", "/healthz"), ("GET", "/readyz")),
]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, token=TOKEN, cors_origin=(OURS,)) as site:
        yield site


async def status(site: Served, method: str, path: str, **headers: str) -> int:
    async with site.client.request(method, path, headers=headers) as response:
        if response.status >= 400:
            error = (await response.json())["error"]
            assert error["message"]
            assert TOKEN not in json.dumps(error)
        return response.status


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:1", "127.0.0.1:8888", "[::1]", "[::1]:8888", "0.0.0.0:1"),
        *("localhost.", MACHINE, f"{MACHINE.partition('.')[0]}.local:8888"),
    ],
)
async def test_host_headers_of_this_machine_are_accepted(site: Served, host: str) -> None:
    assert await status(site, "GET", "/healthz", Host=host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8888", "localhost.evil.example", "[::2]", "", "127.0.0.2"],
)
@pytest.mark.parametrize("path", ["/healthz", "/jobs", "/", JOB, "/nope"])
async def test_a_foreign_host_header_gets_421(site: Served, host: str, path: str) -> None:
    async with site.client.get(path, headers={"Host": host}) as response:
        assert response.status == 421
        assert (await response.json())["error"]["code"] == "unknown_host"


async def test_an_http_1_0_client_may_omit_host(site: Served) -> None:
    assert (await site.raw(b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 200 ")


async def test_on_a_network_every_host_header_is_accepted(tmp_path: Path) -> None:
    async with served(tmp_path, host="0.0.0.0", auth=False) as site:
        assert await status(site, "GET", "/healthz", Host="box.example") == 200


async def test_a_host_header_of_a_cors_origin_is_accepted(locked: Served) -> None:
    assert await status(locked, "GET", "/jobs", Host="pictures.example", **BEARER) == 200


@pytest.mark.parametrize(("method", "path"), [*OWNERS, *CLIENTS])
async def test_without_the_token_every_route_gets_401(
    locked: Served, method: str, path: str
) -> None:
    for value in ("", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        headers = {"Authorization": value} if value else {}
        async with locked.client.request(method, path, headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="sdrest"'
            assert (await response.json())["error"]["code"] == "unauthorized"
    assert await status(locked, method, path, **BEARER) in {200, 404, 422, 503}


@pytest.mark.parametrize(("method", "path"), PUBLIC_SAME_ORIGIN)
async def test_the_page_itself_needs_no_token(locked: Served, method: str, path: str) -> None:
    assert await status(locked, method, path) == 200


async def test_bytes_of_any_kind_are_no_token(locked: Served) -> None:
    for value in (b"Bearer \xff\xfe", b"Bearer " + b"a" * 5000, "Bearer ü".encode()):
        head = b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + value + b"\r\n\r\n"
        assert b" 401 " in (await locked.raw(head)).partition(b"\r\n")[0]


async def test_a_session_cookie_authorises_the_page(locked: Served) -> None:
    url = "/session"
    async with locked.client.post(url, json={"token": TOKEN}) as response:
        assert response.status == 204
        cookie = response.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(cookie.split("; "))
        assert TOKEN not in cookie
    pair = cookie.partition(";")[0]
    assert await status(locked, "GET", "/jobs", Cookie=pair) == 200
    assert await status(locked, "GET", "/jobs", Cookie=f"{pair}0") == 401
    assert await status(locked, "GET", "/jobs", Cookie=pair, Authorization="Bearer no") == 401


async def test_the_end_of_a_session_removes_the_cookie(locked: Served) -> None:
    async with locked.client.post("/session", json={"token": TOKEN}) as response:
        (name,) = response.cookies
    async with locked.client.delete("/session") as response:
        assert response.status == 204
        gone = response.cookies[name]
        assert (gone.value, gone["max-age"], gone["path"]) == ("", "0", "/")


@pytest.mark.parametrize("body", [{}, {"token": None}, {"token": ""}, {"token": ["a"]}])
async def test_a_session_needs_the_token(locked: Served, body: dict[str, Any]) -> None:
    async with locked.client.post("/session", json=body) as response:
        assert response.status == 401
        assert "Set-Cookie" not in response.headers


async def test_a_session_without_a_server_token_sets_no_cookie(site: Served) -> None:
    async with site.client.post("/session", json={"token": "any"}) as response:
        assert response.status == 204
        assert "Set-Cookie" not in response.headers


async def test_a_session_is_json(site: Served) -> None:
    async with site.client.post("/session", data={"token": TOKEN}) as response:
        assert response.status == 415


@pytest.mark.parametrize("origin", [OTHER, "null", "http://localhost.evil.example"])
@pytest.mark.parametrize(
    ("method", "path"), [*OWNERS, ("POST", "/session"), ("DELETE", "/session"), ("GET", "/readyz")]
)
async def test_a_page_of_another_origin_gets_403(
    site: Served, method: str, path: str, origin: str
) -> None:
    """Even as a simple request, which a browser sends without asking first."""
    async with site.client.request(method, path, headers={"Origin": origin}) as response:
        assert response.status == 403
        assert (await response.json())["error"]["code"] == "foreign_origin"
        assert ALLOWED not in response.headers


@pytest.mark.parametrize("kind", ["cross-site", "same-site"])
async def test_a_cross_site_sec_fetch_site_gets_403(site: Served, kind: str) -> None:
    fetch = {"Sec-Fetch-Site": kind, "Sec-Fetch-Dest": "image"}
    assert await status(site, "GET", "/jobs", **fetch) == 403
    assert await status(site, "GET", JOB, **fetch) == 404
    link = {"Sec-Fetch-Site": kind, "Sec-Fetch-Dest": "document"}
    assert await status(site, "GET", "/", **link) == 200
    assert await status(site, "POST", f"{JOB}/cancel", **link) == 403


async def test_the_same_origin_is_accepted(site: Served) -> None:
    host = f"127.0.0.1:{site.port}"
    assert await status(site, "GET", "/jobs", Origin=f"http://{host}") == 200
    own = {"Sec-Fetch-Site": "same-origin"}
    assert await status(site, "GET", "/jobs", **own) == 200
    assert await status(site, "GET", "/jobs", Origin="https://proxy.example", **own) == 200
    assert await status(site, "GET", "/jobs", Origin="null", **own) == 403


@pytest.mark.parametrize(("method", "path"), [*OWNERS, *CLIENTS])
async def test_a_cors_origin_may_use_every_route(tmp_path: Path, method: str, path: str) -> None:
    async with served(tmp_path, cors_origin=(OURS,), cors=False) as site:
        async with site.client.request(method, path, headers={"Origin": OURS}) as response:
            assert response.status in {200, 404, 422}
            assert response.headers[ALLOWED] == OURS
            assert "Origin" in response.headers.getall("Vary")
            assert "Access-Control-Allow-Credentials" not in response.headers
        if path == "/nope":
            return
        asks = {"Access-Control-Request-Method": method, "Origin": OURS}
        async with site.client.options(path, headers=asks) as response:
            assert response.status == 200
            assert response.headers[ALLOWED] == OURS
        assert await status(site, "OPTIONS", path, **{**asks, "Origin": OTHER}) in {403, 405}


@pytest.mark.parametrize(("method", "path"), OWNERS)
async def test_a_cors_preflight_of_another_origin_is_refused(
    site: Served, method: str, path: str
) -> None:
    asks = {"Access-Control-Request-Method": method, "Origin": OTHER}
    assert await status(site, "OPTIONS", path, **asks) in {403, 405}


@pytest.mark.parametrize(("method", "path"), CLIENTS[:3])
async def test_with_a_token_the_original_s_routes_stay_open_to_every_origin(
    locked: Served, method: str, path: str
) -> None:
    asks = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
        "Origin": OTHER,
    }
    async with locked.client.options(path, headers=asks) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Headers"].lower() == "authorization"
    async with locked.client.request(method, path, headers={"Origin": OTHER}) as response:
        assert response.status == 401
        assert response.headers[ALLOWED] == "*"


@pytest.mark.parametrize(
    ("method", "path"), [*OWNERS, *CLIENTS, *PUBLIC_SAME_ORIGIN, ("OPTIONS", JOB), ("PUT", "/jobs")]
)
async def test_every_answer_has_security_headers(site: Served, method: str, path: str) -> None:
    async with site.client.request(method, path) as response:
        headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "sdrest"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    private = (method, path) in [*OWNERS, *PUBLIC_SAME_ORIGIN] and path != "/healthz"
    policy = "same-origin" if private else "cross-origin"
    assert headers["Cross-Origin-Resource-Policy"] == policy


async def test_malformed_http_gets_security_headers_too(site: Served) -> None:
    answer = await site.raw(b"nonsense\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"X-Content-Type-Options: nosniff\r\n" in answer
    assert b"Server: sdrest\r\n" in answer
    assert b"Python" not in answer
    assert b"aiohttp" not in answer
