"""Pictures as the page loads them: how large, and what becomes of those that do not come."""

import re

import pytest
from playwright.async_api import Browser, Locator, Request, Route, expect
from yarl import URL

from tests.support.page import AWAY, PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def shown(tile: Locator) -> str:
    """Return the query of the picture that a tile shows, once it is loaded."""
    image = tile.locator("img")
    await expect(image).not_to_have_js_property("naturalWidth", 0)
    source = str(await image.evaluate("(image) => image.currentSrc"))
    return source.partition(".png")[2]


@pytest.mark.parametrize(("density", "size"), [(1, 256), (2, 512)])
async def test_the_gallery_loads_what_it_shows_and_the_viewer_whole_pictures(
    browser: Browser, serve: Serve, density: int, size: int
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if ".png" in request.url:
            asked.append(request.url.partition(".png")[2])

    async with (
        serve(PLAIN) as server,
        studio(browser, server, device_scale_factor=density) as opened,
    ):
        opened.page.on("request", note)
        await opened.open()
        for prompt, pictures in (("a boat", 1), ("a tree", 4)):
            await opened.enter(Prompt=prompt, Iterations=pictures, Steps=2)
            await opened.make()
            await expect(opened.pictures(opened.gallery.filter(has_text=prompt))).to_have_count(
                pictures
            )
        boat = opened.pictures(opened.gallery.filter(has_text="a boat"))
        trees = opened.pictures(opened.gallery.filter(has_text="a tree"))
        assert await shown(boat) == f"?size={size}"
        assert await shown(trees.last) == f"?size={size}"
        assert "" not in asked
        await boat.click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        assert await shown(viewer) == ""
        download = viewer.get_by_role("link", name="Download")
        assert (await download.get_attribute("href") or "").endswith("/1.png")


async def test_a_picture_that_cannot_be_made_smaller_is_shown_whole(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server, "status of 422") as opened:
        fields = {"prompt": "a boat", "steps": 2, "width": 256, "height": 256}
        async with server.client() as client, client.post("/text-to-image", json=fields) as answer:
            assert answer.status == 200
            await server.out.end_of(answer.url.name)
        (file,) = server.folder.glob("output/text-to-image/*/1.png")
        file.write_bytes(b"This is no picture.")
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(URL(request.url).path))
        await opened.open()
        whole = opened.pictures(opened.gallery).locator("img:not([src*=size])")
        await expect(whole).to_have_count(1)
        for _ in range(20):
            await opened.page.evaluate("fetch('/healthz')")
        assert asked.count(answer.url.path) == 1  # what became of it is asked once


async def test_a_picture_that_did_not_come_is_loaded_once_the_server_is_back(
    browser: Browser, serve: Serve
) -> None:
    async def refuse(route: Route) -> None:
        await route.abort()

    job = re.compile("/text-to-image/[0-9a-f]{32}$")
    fields = {"prompt": "a boat", "steps": 2, "width": 256, "height": 256}
    async with (
        serve(PLAIN) as server,
        studio(browser, server, AWAY) as opened,
        server.client() as client,
    ):
        await opened.page.route("**/text-to-image/*/1.png*", refuse)
        await opened.page.route(job, refuse)
        await opened.open()
        async with (
            opened.page.expect_event(
                "requestfailed", lambda request: bool(job.search(request.url))
            ),
            client.post("/text-to-image", json=fields) as answer,
        ):
            path = answer.url.path
        picture = opened.pictures(opened.gallery).locator("img")
        await expect(picture).not_to_have_attribute("src", re.compile("."))
        await opened.page.unroute_all()
        async with client.put(f"{path}/1.png/favourite") as marked:
            assert marked.status == 204
        await expect(picture).not_to_have_js_property("naturalWidth", 0)
