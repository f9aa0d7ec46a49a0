"""Behind a reverse proxy under a path, in a process of its own; and what untrusted senders say."""

import json
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openapi_schema_validator import OAS31Validator
from yarl import URL

from sdrest.commands.options import parse
from sdrest.errors import UsageError
from sdrest.flag_values import BasePath
from sdrest.settings import FLAGS, Settings
from sdrest.web.requests.proxy import Proxies
from sdrest.web.routes import require_free_base_path
from tests.support.proxy import proxied
from tests.support.server import PATIENCE, Serve
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

TOKEN = "a-secret-of-many-letters"
NOWHERE = f"/text-to-image/{'0' * 32}"
BY_NAME = {flag.name: flag for flag in FLAGS}
LOCAL = parse(BY_NAME["trusted_proxy"], "127.0.0.1")
HOSTILE = [
    *("//evil.example", "/a//evil.example", "https://evil.example", "/%0d%0aX-Evil:%201"),
    *("/..", "/a/../b", "/.", "/a b", '/"><script>', "/a\\b", "/é", "/a?b", "/a#b", "/a;b"),
    *(f"/{'a' * 300}", "/good, /evil", "/evil,", "evil", "/{evil}", "/a&b"),
]


@pytest.fixture
async def trusting(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, base_path="/base", trusted_proxy=LOCAL) as site:
        yield site


async def make(client: aiohttp.ClientSession, **fields: str) -> dict[str, Any]:
    """Ask for a job, follow the redirect and the events to the end; return the job's JSON."""
    data = {"prompt": "a", "width": "256", "height": "256", **fields}
    async with client.post("text-to-image", data=data) as response:
        assert response.status == 200, await response.text()
        url = response.url
        assert [answer.status for answer in response.history] == [302]
    async with client.get(f"{url}/events") as response:
        events = await response.text()
    assert f'"resultUrl":"{url.path}"' in events
    assert '"resultUrl":"/text' not in events or url.path.startswith("/text")
    async with client.get(url) as response:
        job: dict[str, Any] = await response.json()
    assert job["resultUrl"] == url.path
    return job


@pytest.mark.parametrize("base", ["/sd", "/sd/"])
async def test_every_address_is_under_the_path(serve: Serve, base: str) -> None:
    flags = ("--base-path", base, "--trusted-proxy", "127.0.0.1")
    async with serve("--plain-http", *flags) as server:
        for how in [(), ("--strip",), ("--forward",), ("--strip", "--forward")]:
            upstream = server.url.replace("0.0.0.0", "127.0.0.1")
            async with (
                proxied(upstream, "/sd", *how) as url,
                aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(PATIENCE)) as client,
            ):
                await check_addresses(client)


async def check_addresses(client: aiohttp.ClientSession) -> None:
    """Follow every address that answers, pages and the description contain."""
    job = await make(client)
    assert job["status"] == "COMPLETE"
    assert re.fullmatch("/sd/text-to-image/[0-9a-f]{32}", job["resultUrl"])
    assert job["imageUrls"] == [f"{job['resultUrl']}/1.png"]
    async with client.get(job["imageUrls"][0]) as response:
        assert response.content_type == "image/png"
    async with client.get("jobs") as response:
        assert (await response.json())["jobs"][0]["imageUrls"] == job["imageUrls"]
    async with client.post(f"{job['resultUrl']}/cancel") as response:
        assert (await response.json())["resultUrl"] == job["resultUrl"]
    async with client.get(f"text-to-image/{'0' * 32}") as response:
        message = (await response.json())["error"]["message"]
        assert message == f"There is no job /sd/text-to-image/{'0' * 32}."
    for page in ("", "docs"):
        async with client.get(page) as response:
            text = await response.text()
            shown = str(response.url)
        links = re.findall(r'(?:src|href)="([^#"][^"]*)"', text)
        assert links
        for link in links:
            address = URL(shown).join(URL(link))
            assert address.path.startswith("/sd/")
            async with client.get(address) as response:
                assert response.status == 200, link
    async with client.get("openapi.json") as response:
        text = await response.text()
    assert "https://0.0.0.0:8888/sd/text-to-image" in text
    assert "https://0.0.0.0:8888/text" not in text
    async with client.get("/sd") as response:
        assert response.content_type == "text/html"


async def test_without_a_proxy_the_base_path_is_optional(tmp_path: Path) -> None:
    async with served(tmp_path, base_path="/sd") as site:
        for start in ("", "/sd"):
            async with site.client.get(f"{start}/healthz") as response:
                assert response.status == 200
            async with site.client.post(
                f"{start}/Text-To-Image", data={"prompt": "a"}, allow_redirects=False
            ) as response:
                assert response.headers["Location"].startswith("/sd/Text-To-Image/")
                assert response.headers["Location"] in await response.text()
            async with site.client.post(f"{start}/text-to-image", data={}) as response:
                assert response.status == 422
        for path in ("/sd/sd/healthz", "/sda/healthz", "/SD/healthz", "/sd//evil.example/x"):
            async with site.client.get(path) as response:
                assert response.status == 404


async def test_the_description_is_under_the_path(tmp_path: Path) -> None:
    async with served(tmp_path, base_path="/a.b/c-d_~e") as site:
        async with site.client.get("/openapi.json") as response:
            described = await response.json()
        assert described["servers"] == [{"url": "/a.b/c-d_~e"}]
        assert "/text-to-image" in described["paths"]
        url = await site.job("/text-to-image", data={"prompt": "a"}, prefix="/a.b/c-d_~e")
        async with site.client.get(url) as response:
            job = await response.json()
        for name in ("JobComplete", "Job"):
            schema = {"$ref": f"#/components/schemas/{name}", "components": described["components"]}
            assert OAS31Validator(schema).is_valid(job)
            outside = json.loads(json.dumps(job).replace("/a.b/c-d_~e", "/aXb/c-d_~e"))
            assert not OAS31Validator(schema).is_valid(outside)
        answer = described["paths"]["/text-to-image/{id}"]["get"]["responses"]["200"]
        shown = answer["content"]["application/json"]["examples"]["COMPLETE"]["value"]
        assert shown["resultUrl"].startswith("/a.b/c-d_~e/text-to-image/")
        sample = described["paths"]["/text-to-image"]["post"]["x-codeSamples"][0]["source"]
        assert "https://0.0.0.0:8888/a.b/c-d_~e/text-to-image" in sample


@pytest.mark.parametrize(
    ("flags", "proto", "secure"),
    [
        ({"plain_http": True, "trusted_proxy": LOCAL}, "https", True),
        ({"plain_http": True, "trusted_proxy": LOCAL}, "http", False),
        ({"plain_http": True, "trusted_proxy": LOCAL}, "javascript", False),
        ({"plain_http": True, "trusted_proxy": LOCAL}, "https, http", False),
        ({"plain_http": True}, "https", False),
        ({"trusted_proxy": LOCAL}, "http", False),
        ({}, "http", True),
    ],
)
async def test_the_cookie_is_for_the_path_and_secure_as_the_proxy_says(
    tmp_path: Path, flags: dict[str, Any], proto: str, secure: bool
) -> None:
    async with served(tmp_path, base_path="/sd", token=TOKEN, **flags) as site:
        headers = {"X-Forwarded-Proto": proto}
        body = {"token": TOKEN}
        async with site.client.post("/sd/session", json=body, headers=headers) as response:
            parts = response.headers["Set-Cookie"].split("; ")
    assert "Path=/sd/" in parts
    assert ("Secure" in parts) == secure


async def test_x_forwarded_prefix_replaces_the_base_path(trusting: Served) -> None:
    for given, want in (("/x/y", "/x/y"), ("/x/", "/x"), ("/", ""), ("", ""), (None, "/base")):
        headers = {} if given is None else {"X-Forwarded-Prefix": given}
        for start in ("", want, "/base"):
            async with trusting.client.post(
                f"{start}/text-to-image",
                data={"prompt": "a"},
                headers=headers,
                allow_redirects=False,
            ) as response:
                assert response.status == 302
                assert re.fullmatch(f"{want}/text-to-image/[0-9a-f]{{32}}",
                                    response.headers["Location"])  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_x_forwarded_prefix_reaches_no_header_and_no_page(
    trusting: Served, value: str
) -> None:
    for path in ("/text-to-image", "/", "/docs", "/openapi.json", NOWHERE):
        method = "POST" if path == "/text-to-image" else "GET"
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        body = '{"prompt":"a"}' if method == "POST" else ""
        head += f"Content-Length: {len(body)}\r\nX-Forwarded-Prefix: {value}\r\n\r\n{body}"
        answer = await trusting.raw(head.encode())
        assert not re.search(rb"evil|<script>|X-Evil|aaaaaaaa|\.\./", answer)
        assert (b"/base/" in answer) is (path != "/docs")  # which has no address of its own


async def test_repeated_x_forwarded_headers_are_ignored(trusting: Served) -> None:
    head = b"GET %b HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Prefix: /a\r\n" % NOWHERE.encode()
    answer = await trusting.raw(head + b"X-Forwarded-Prefix: /b\r\n\r\n")
    assert f"There is no job /base{NOWHERE}.".encode() in answer


@pytest.mark.parametrize("trusted", ["", "192.0.2.1,10.0.0.0/8,2001:db8::/32"])
async def test_x_forwarded_headers_of_untrusted_peers_are_ignored(
    tmp_path: Path, trusted: str
) -> None:
    headers = {
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
    }
    async with served(tmp_path, trusted_proxy=parse(BY_NAME["trusted_proxy"], trusted)) as site:
        async with site.client.get(NOWHERE, headers=headers) as response:
            assert (await response.json())["error"]["message"] == f"There is no job {NOWHERE}."
        origin = {"Origin": "https://evil.example"}
        async with site.client.get("/jobs", headers=headers | origin) as response:
            assert response.status == 403
        async with site.client.get(f"/evil{NOWHERE}", headers=headers) as response:
            assert (await response.json())["error"][
                "message"
            ] == "There is nothing at this address."
        async with site.client.get("/jobs", headers=headers | {"Host": "evil.example"}) as response:
            assert response.status == 421


@pytest.mark.parametrize(
    ("host", "proto", "origin", "status"),
    [
        ("box.example", "https", "https://box.example", 200),
        ("BOX.example:443", "https", "https://box.example", 200),
        ("box.example:8443", "https", "https://box.example:8443", 200),
        ("[2001:db8::1]:8443", "https", "https://[2001:db8::1]:8443", 200),
        ("[::1]", "http", "http://[::1]", 200),
        ("box.example", "https", "http://box.example", 403),
        ("box.example:8443", "https", "https://box.example", 403),
        ("box.example", "https", "https://evil.example", 403),
        ("box.example, evil.example", "https", "https://evil.example", 403),
        ("evil.example/", "https", "https://evil.example/", 403),
        ("a" * 300, "https", f"https://{'a' * 300}", 403),
        ("[::1", "https", "https://[::1", 403),
        ("box.example", "https", "null", 403),
    ],
)
async def test_the_origin_is_that_of_the_proxy(
    trusting: Served, host: str, proto: str, origin: str, status: int
) -> None:
    headers = {"X-Forwarded-Host": host, "X-Forwarded-Proto": proto, "Origin": origin}
    async with trusting.client.get("/base/jobs", headers=headers) as response:
        assert response.status == status


async def test_a_foreign_host_needs_the_token_behind_a_trusted_proxy(tmp_path: Path) -> None:
    """Without one, a page whose name leads here could send the same headers."""
    headers = {"Host": "box.example", "X-Forwarded-Host": "box.example"}
    for token, want in (("", HTTPStatus.MISDIRECTED_REQUEST), (TOKEN, HTTPStatus.OK)):
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        async with served(tmp_path, token=token, trusted_proxy=LOCAL) as site:
            async with site.client.get("/jobs", headers=headers | bearer) as response:
                assert response.status == want
            del bearer
            async with site.client.get("/jobs", headers={"Host": "box.example"}) as response:
                assert response.status == HTTPStatus.MISDIRECTED_REQUEST


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        *(("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("10.1.2.3", True)),
        *(("fd00::1%eth0", True), ("fe80::1", False), ("127.0.0.2", False), (None, False)),
    ],
)
def test_trusted_proxy_matches_addresses_and_networks(peer: str | None, trusted: bool) -> None:
    networks = parse(BY_NAME["trusted_proxy"], "127.0.0.1,10.0.0.0/8,fd00::/8")
    proxies = Proxies(Settings(trusted_proxy=networks))
    assert proxies._is_trusted(peer) == trusted


@pytest.mark.parametrize("text", ["/sd", "/a/b", "/a.b/c-d_e~f", "/sd/", "/", ""])
def test_a_base_path_is_a_path(text: str) -> None:
    assert parse(BY_NAME["base_path"], text) == text.removesuffix("/")


@pytest.mark.parametrize("text", ["sd", *HOSTILE])
def test_a_wrong_base_path_is_refused_with_a_message(text: str) -> None:
    with pytest.raises(ValueError, match="should be a path such as /sd"):
        parse(BY_NAME["base_path"], text)


@pytest.mark.parametrize("text", ["/jobs", "/docs/x", "/Text-To-Image", "/static", "/healthz"])
def test_a_base_path_that_begins_as_a_route_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is a route of the server"):
        require_free_base_path(Settings(base_path=BasePath(text)))
    require_free_base_path(Settings(base_path=BasePath("/sd/jobs")))


@pytest.mark.parametrize("text", ["box.example", "127.0.0.1:80", "10.0.0.0/33", "*"])
def test_a_trusted_proxy_is_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="should be IP addresses or networks"):
        parse(BY_NAME["trusted_proxy"], text)
