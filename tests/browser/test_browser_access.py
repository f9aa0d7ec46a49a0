"""The page for everybody: axe finds nothing serious, in light and dark, large and small."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.support.page import PLAIN, Studio, studio
from tests.support.server import Serve

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (Path(__file__).parents[1] / "data" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP, PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)
LOOKS = (("light", DESKTOP), ("dark", PHONE))  # colours do not depend on the size


async def violations(opened: Studio) -> list[str]:
    """Return what axe finds, each with the elements that it concerns."""
    found: dict[str, Any] = await opened.page.evaluate(
        "axe.run({ resultTypes: ['violations'], selectors: false })"  # no list of all that is well
    )
    return [
        f"{item['impact']} {item['id']}: {', '.join(node['html'] for node in item['nodes'])}"
        for item in found["violations"]
    ]


async def test_axe_finds_nothing(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server:
        for scheme, viewport in LOOKS:
            options = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
            async with studio(browser, server, **options) as opened:
                await opened.open()
                await opened.page.evaluate(AXE)
                assert await violations(opened) == []  # at first, nothing is there yet
                await opened.small()
                await opened.enter(Prompt="a boat", Iterations=2)
                await opened.make()
                await opened.hears("Done: 2 pictures")
                await opened.page.get_by_text("More settings").first.click()
                assert await violations(opened) == []  # the gallery and every field
                await opened.pictures(opened.gallery).first.click()
                assert await violations(opened) == []  # a picture, large
                await opened.page.get_by_role("button", name="Paint on it").click()
                await expect(opened.start).to_be_visible()
                assert await violations(opened) == []  # the mask's tools
                width = await opened.page.evaluate("document.documentElement.scrollWidth")
                assert width <= viewport["width"]


async def test_the_description_is_for_everybody_too(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server:
        for scheme, viewport in LOOKS:
            options = {"color_scheme": scheme, "viewport": viewport, "reduced_motion": "reduce"}
            async with studio(browser, server, **options) as opened:
                await opened.page.goto(f"{opened.root}docs")
                for closed in await opened.page.locator("details").all():
                    await closed.evaluate("(element) => (element.open = true)")
                await opened.page.evaluate(AXE)
                assert await violations(opened) == []
                width = await opened.page.evaluate("document.documentElement.scrollWidth")
                assert width <= viewport["width"]


async def test_a_command_of_the_description_names_this_server_and_is_copied(
    browser: Browser, serve: Serve
) -> None:
    granted = ["clipboard-read", "clipboard-write"]
    async with serve(PLAIN) as server, studio(browser, server, permissions=granted) as opened:
        await opened.open()
        await opened.page.get_by_role("link", name="API").click()
        contents = opened.page.get_by_role("navigation", name="Contents")
        await contents.get_by_role("link", name="GET /jobs").click()
        section = opened.page.get_by_role("region", name="GET /jobs")
        await expect(section).to_be_in_viewport()
        await section.get_by_role("button", name="Copy").click()
        await expect(section.get_by_role("button", name="Copied")).to_be_visible()
        copied = await opened.page.evaluate("navigator.clipboard.readText()")
        assert copied == f"curl {opened.root}jobs"


async def test_the_contents_of_the_description_open_on_demand_on_a_phone(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server, viewport=PHONE) as opened:
        await opened.page.goto(f"{opened.root}docs")
        link = opened.page.get_by_role("navigation", name="Contents").get_by_role("link")
        errors, press = link.get_by_text("Errors", exact=True), opened.page.keyboard.press
        await expect(errors).to_be_hidden()
        await press("Tab")
        await expect(
            opened.page.get_by_role("link", name="Skip to the description")
        ).to_be_focused()
        for _ in range(3):  # two links of the header, and the contents
            await press("Tab")
        await press("Enter")
        await errors.focus()
        await press("Enter")
        await expect(opened.page.get_by_role("heading", name="Errors")).to_be_in_viewport()
        await expect(errors).to_be_hidden()
        await opened.page.set_viewport_size(DESKTOP)
        await expect(errors).to_be_visible()


async def test_the_keyboard_alone_is_enough(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        press = opened.page.keyboard.press
        await press("Tab")
        await expect(opened.page.get_by_role("link", name="Skip to the pictures")).to_be_focused()
        await opened.page.get_by_role("tab", name="Text to image").focus()
        await press("ArrowRight")
        await expect(opened.page.get_by_role("tab", name="Image to image")).to_be_focused()
        await expect(opened.page.get_by_role("slider", name="Strength")).to_be_visible()
        await press("Home")
        await press("Tab")
        await expect(opened.page.get_by_role("textbox", name="Prompt")).to_be_focused()
        await opened.page.keyboard.type("a boat")
        await press("Control+Enter")
        await opened.hears("Done: 1 picture")
        await opened.pictures(opened.gallery).focus()
        await press("Enter")
        await expect(opened.page.get_by_role("dialog", name="Picture")).to_be_visible()
        await press("Escape")
        await expect(opened.pictures(opened.gallery)).to_be_focused()
