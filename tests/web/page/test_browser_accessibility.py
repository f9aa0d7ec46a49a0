"""The page for everybody: axe finds nothing serious, in light and dark, large and small."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.page import PHONE, PLAIN, Studio, studio
from tests.support.paths import DATA
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AXE = (DATA / "axe.min.js").read_text(encoding="utf-8")
DESKTOP: Any = {"viewport": {"width": 1280, "height": 860}}
LOOKS = (("light", DESKTOP), ("dark", PHONE))  # colours do not depend on the size
SMALL_TARGETS = """[...document.querySelectorAll(
  "a[href]:not(.skip), button:not(.tile-check), summary, select, textarea,"
  + "input:not(.unseen, [type=checkbox]), label:is(.chip, .check, .drop)")]
  .filter((target) => target.checkVisibility({ visibilityProperty: true }))
  .map((target) => [target.outerHTML.slice(0, 120), target.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < 43.9)
  .map(([html, { width, height }]) => `${width} x ${height}: ${html}`)"""

ROWS_OF_TOOLS = """new Set([...document.querySelector(".mask-bar").children]
  .map((group) => group.offsetTop + group.offsetHeight / 2)).size"""
BARS = """[".selection-bar", ".compose-footer"].map((name) =>
  document.querySelector(name).getBoundingClientRect().toJSON())"""


async def violations(opened: Studio) -> list[str]:
    """Return what axe finds, each with the elements that it concerns.

    On a touch screen, also what is smaller than a finger.
    """
    found: dict[str, Any] = await opened.page.evaluate(
        "axe.run({ resultTypes: ['violations'], selectors: false })"  # no list of all that is well
    )
    has_touch = await opened.page.evaluate("matchMedia('(pointer: coarse)').matches")
    return [
        f"{item['impact']} {item['id']}: {', '.join(node['html'] for node in item['nodes'])}"
        for item in found["violations"]
    ] + (await opened.page.evaluate(SMALL_TARGETS) if has_touch else [])


async def test_axe_finds_nothing(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server:
        for scheme, device in LOOKS:
            options = {"color_scheme": scheme, "reduced_motion": "reduce", **device}
            async with studio(browser, server, **options) as opened:
                await opened.open()
                await opened.page.evaluate(AXE)
                assert await violations(opened) == []  # at first, nothing is there yet
                await opened.small()
                await opened.enter(Prompt="a boat", Iterations=2)
                await opened.make()
                await opened.hears("Done: 2 pictures")
                await opened.enter(Prompt="")
                await opened.make()
                await expect(opened.page.get_by_text("Enter a prompt.")).to_be_visible()
                await opened.page.get_by_role("button", name="Select pictures").click()
                assert await violations(opened) == []  # the gallery, every field, an error
                bar, footer = await opened.page.evaluate(BARS)
                assert bar["bottom"] < footer["top"] or device is DESKTOP
                await opened.page.get_by_role("button", name="End selecting").click()
                await opened.pictures(opened.gallery).first.click()
                assert await violations(opened) == []  # a picture, large
                await opened.viewer.get_by_role("button", name="Compare with next").click()
                assert await violations(opened) == []  # two pictures
                await opened.page.keyboard.press("Escape")
                await opened.viewer.get_by_role("button", name="Erase or repaint").click()
                await expect(opened.start).to_be_visible()
                assert await violations(opened) == []  # the mask's tools
                width = await opened.page.evaluate("document.documentElement.scrollWidth")
                assert width <= device["viewport"]["width"]
                await opened.page.set_viewport_size({"width": 844, "height": 390})
                assert await opened.page.evaluate(ROWS_OF_TOOLS) == 1


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
        await expect(opened.page.get_by_role("textbox", name="Prompt", exact=True)).to_be_focused()
        await opened.page.keyboard.type("a boat")
        await press("Control+Enter")
        await opened.hears("Done: 1 picture")
        await opened.pictures(opened.gallery).focus()
        await press("Enter")
        await expect(opened.page.get_by_role("dialog", name="Picture")).to_be_visible()
        await press("Escape")
        await expect(opened.pictures(opened.gallery)).to_be_focused()
