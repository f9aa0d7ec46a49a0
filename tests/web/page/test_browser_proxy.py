"""The page behind a reverse proxy under a path: everything it asks for is below that path."""

import pytest
from playwright.async_api import Browser, expect
from yarl import URL

from tests.support.page import PLAIN, studio
from tests.support.proxy import proxied
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "a-secret-of-many-letters"


@pytest.mark.parametrize("how", [("--strip",), ("--forward",)])
async def test_a_picture_is_made_behind_a_proxy_under_a_path(
    browser: Browser, serve: Serve, how: tuple[str, ...]
) -> None:
    flags = (PLAIN, "--base-path", "/sd", "--trusted-proxy", "127.0.0.1")
    paths: set[str] = set()
    async with (
        serve(*flags, env={"SDREST_TOKEN": TOKEN}) as server,
        proxied(server.url.replace("0.0.0.0", "127.0.0.1"), "/sd", *how) as url,
    ):
        server.url = url
        async with studio(browser, server, "401", permissions=["clipboard-read"]) as opened:
            opened.page.on("request", lambda request: paths.add(URL(request.url).path))
            await opened.page.goto(url)
            await opened.page.get_by_label("Enter the access token").fill(TOKEN)
            await opened.page.get_by_role("button", name="Unlock").click()
            await opened.connected()
            await opened.small()
            await opened.enter(Prompt="a boat")
            await opened.make()
            await opened.hears("Done: 1 picture")
            picture = opened.pictures(opened.gallery).first.locator("img")
            await expect(picture).to_have_js_property("naturalWidth", 256)
            (cookie,) = await opened.page.context.cookies(url)
            assert cookie["path"] == "/sd/"
            await opened.page.get_by_role("link", name="API").click()
            server_path = opened.page.locator(".servers option")
            await expect(server_path).to_have_text("/sd")
            await opened.page.go_back()
            await expect(opened.gallery).to_have_count(1)
    assert {path for path in paths if not path.startswith("/sd/")} == set()
