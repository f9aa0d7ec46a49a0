"""What the page shows of a picture before it is done, and of one that was replaced."""

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.fakes.running import FORK, Lifeline
from tests.support.page import PHONE, PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FAKE = ("--repository", str(FORK), "--python", sys.executable)


FADES = """window.fades = [];
  for (const kind of ["animationstart", "transitionrun"]) {
    addEventListener(kind, ({ target, animationName, propertyName }) => {
      if (!target.matches("img")) return;
      fades.push(`${target.closest("section").id}: ${animationName ?? propertyName}`);
    });
  }"""


async def brightness(preview: Locator) -> int:
    """Return the value of the first pixel that a preview shows."""
    value = await preview.evaluate("""(image) => {
      const copy = new OffscreenCanvas(1, 1).getContext("2d");
      copy.drawImage(image, 0, 0);
      return copy.getImageData(0, 0, 1, 1).data[0];
    }""")
    return int(value)


async def test_the_preview_becomes_the_picture_in_the_same_place(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        await opened.page.add_init_script(FADES)
        await opened.open()
        await opened.small()
        await opened.enter(Prompt=f"preview gate={gate}", Iterations=2)
        await opened.make()
        preview = opened.under_way.locator("img.preview")
        await expect(preview).to_be_visible()
        assert await preview.get_attribute("alt") == ""
        assert await brightness(preview) == 0
        places = [await preview.bounding_box(), await opened.under_way.bounding_box()]
        source = await preview.get_attribute("src") or ""
        await expect(preview).not_to_have_attribute("src", source)
        await asyncio.to_thread(gate.write_text, "x")
        await expect(opened.pictures(opened.under_way)).to_have_count(1)
        await expect(preview).to_be_visible()
        assert await brightness(preview) == 255
        await opened.page.reload()
        await expect(preview).to_be_visible()
        await asyncio.to_thread(gate.write_text, "x")
        await expect(opened.pictures(opened.gallery)).to_have_count(2)
        await expect(preview).to_be_hidden()
        stage = opened.page.locator("#stage article")
        picture = stage.get_by_role("button", name="Enlarge picture 2 of 2").locator("img")
        await expect(picture).to_have_js_property("complete", value=True)
        assert [await picture.bounding_box(), await stage.bounding_box()] == places
        fades = await opened.page.evaluate("fades")
        assert fades in ([], ["gallery: opacity"], ["gallery: opacity"] * 2)  # each once, if ever


async def test_a_picture_that_the_safety_checker_replaced_says_so(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt="flag images=2,3", Iterations=3)
        await opened.make()
        stage = opened.page.locator("#stage")
        await expect(stage).to_contain_text("The safety checker replaced pictures 2, 3")
        note = "The model's safety checker replaced this picture."
        await expect(opened.gallery.filter(has_text=note)).to_have_count(2)
        await expect(opened.gallery.nth(0)).not_to_contain_text(note)
        await opened.pictures(opened.gallery).nth(1).click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        await expect(viewer.get_by_text(note)).to_be_visible()
        await viewer.get_by_role("button", name="Previous").click()
        await expect(viewer.get_by_text(note)).to_be_hidden()


async def test_the_stage_says_why_a_job_failed_and_does_not_keep_a_cancelled_one(
    browser: Browser, serve: Serve, lifeline: Lifeline
) -> None:
    async with serve(PLAIN, *FAKE) as server, studio(browser, server, **PHONE) as opened:
        await opened.open()
        await opened.small()
        stage = opened.page.locator("#stage article")
        await opened.enter(Prompt="crash_between", Iterations=2)
        await opened.make()
        await opened.hears("Failed.")
        buttons = stage.locator(".stage-actions > :visible")
        await expect(buttons).to_have_count(7)
        tops = await buttons.evaluate_all("(all) => all.map((one) => one.offsetTop)")
        assert len(set(tops)) == 1  # one row on a phone, too
        await opened.enter(Iterations=1)
        await opened.enter(Prompt="exit_code code=3")
        await opened.make()
        await expect(stage.get_by_role("heading", name="exit_code code=3")).to_be_visible()
        await expect(stage.get_by_text("Failed")).to_be_visible()
        await expect(stage.get_by_role("button", name="Try again")).to_be_visible()
        await expect(stage.get_by_role("progressbar")).to_be_hidden()
        await opened.enter(Prompt=f"hang lifeline={lifeline.path}")
        await opened.make()
        await stage.get_by_role("button", name="Cancel").press("Enter")  # a toast may lie over it
        await expect(opened.gallery.filter(has_text="hang")).to_contain_text("Cancelled")
        await expect(stage.get_by_role("heading", name="exit_code code=3")).to_be_visible()


@pytest.mark.parametrize("seed", [None, 7])
async def test_a_job_that_fails_before_its_request_is_answered_is_a_new_one(
    browser: Browser, serve: Serve, seed: int | None
) -> None:
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        failed = asyncio.Event()

        async def answer_late(route: Route) -> None:
            answer = await route.fetch(max_redirects=0)
            await failed.wait()
            job = urljoin(opened.root, answer.headers["location"])
            await route.fulfill(response=await opened.page.request.get(job))

        await opened.open()
        await opened.small()
        await opened.page.route("**/text-to-image", answer_late)
        await opened.enter(Prompt="exit_code code=3", **({"Seed": seed} if seed else {}))
        button = opened.page.get_by_role("button", name="Make picture")
        await button.click()
        await expect(opened.gallery.filter(has_text="Failed")).to_have_count(1)
        failed.set()
        await expect(button).to_be_enabled()  # it says "Sending …" until then
        assert await opened.page.get_by_text("You made this before.").count() == 0
        await opened.hears("Failed.")
