"""The three forms, from an empty field to a picture."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, expect

from tests.support.page import PHONE, PLAIN, Studio, studio
from tests.support.paths import DATA
from tests.support.server import Serve, Server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIDE = 256
CASES = DATA / "cases"
UNPROCESSABLE = "status of 422"


def drawn(folder: Path) -> Path:
    """A picture to start from."""
    path = folder / "start.png"
    Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB").save(path)
    return path


async def fetched(server: Server, path: str) -> Image.Image:
    async with server.client() as client, client.get(path) as answer:
        return Image.open(io.BytesIO(await answer.read())).convert("RGB")


async def choose(opened: Studio, path: Path) -> None:
    panel = opened.page.get_by_role("tabpanel")
    await panel.get_by_label("Choose a picture").set_input_files(path)
    await expect(opened.start).to_be_visible()


async def download(card: Locator) -> str:
    """Return the path of a card's picture."""
    return str(await card.get_by_role("link", name="Download").get_attribute("href"))


async def test_a_prompt_becomes_pictures_and_progress_is_seen(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await expect(opened.page.get_by_role("button", name="Demo engine")).to_be_visible()
        await opened.enter(Prompt="a white boat on a lake at sunset", Iterations=40, Steps=50)
        await opened.make()
        card = opened.under_way.filter(has_text="a white boat")
        await expect(card).to_contain_text(
            re.compile(r"Picture \d+ of 40 · \d+ % · about \d+ (s|min) left")
        )
        await expect(card.get_by_role("progressbar")).to_have_attribute(
            "value", re.compile("0\\.[0-9]")
        )
        await expect(opened.page).to_have_title(re.compile(r"\d+ % · sdrest"))
        await expect(opened.pictures(card).first).to_be_visible()
        await card.get_by_role("button", name="Cancel").click()
        await expect(opened.under_way).to_have_count(0)
        await opened.enter(Prompt="a tree", Iterations=5, Steps=2)
        await opened.make()
        await opened.hears("Done: 5 pictures")
        done = opened.gallery.filter(has_text="a tree")
        await expect(opened.pictures(done)).to_have_count(5)
        await expect(opened.under_way).to_have_count(0)
        await expect(opened.page).to_have_title("sdrest")


async def test_a_first_visitor_makes_chooses_changes_and_repaints_pictures(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        page, stage = opened.page, opened.page.locator("#stage")
        prompt = page.get_by_role("textbox", name="Prompt", exact=True)
        seed = page.get_by_role("spinbutton", name="Seed")
        await opened.open()
        await opened.small()
        await prompt.fill("a lighthouse at dusk")
        await page.get_by_role("group", name="Pictures").get_by_text("4", exact=True).click()
        await page.get_by_role("group", name="Quality").get_by_text("Draft").click()
        await opened.make()
        await opened.hears("Done: 4 pictures, a lighthouse at dusk")
        await stage.get_by_role("button", name="Picture 2 of 4").click()
        await page.get_by_role("button", name="Keep this seed").click()
        kept = await seed.input_value()
        await prompt.fill("a lighthouse at dawn")
        await opened.make()
        await opened.hears("Done: 4 pictures, a lighthouse at dawn")
        await expect(seed).to_have_value(kept)
        await expect(stage).to_contain_text(f"Seed {kept}")
        await stage.get_by_role("button", name="Erase or repaint").click()
        await expect(opened.mask).to_be_visible()
        await opened.stroke((0.1, 0.1), (0.9, 0.1))
        await opened.make()
        await opened.hears("Done: 1 picture, Inpaint image")
        first = opened.gallery.filter(has_text="a lighthouse at dusk").first
        await first.hover()
        for place in (stage, first):
            async with page.expect_download() as waiting:
                await place.get_by_role("link", name="Download").click()
            with Image.open(await (await waiting.value).path()) as picture:
                assert picture.size == (SIDE, SIDE)


async def test_what_is_wrong_with_a_field_stands_beside_it(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server, UNPROCESSABLE) as opened:
        await opened.open()
        await opened.enter(Prompt="a boat", Steps=3, Width=100)
        await opened.make()
        steps = opened.page.get_by_role("spinbutton", name="Steps")
        await expect(steps).to_have_accessible_description(re.compile("Try 2 or 4"))
        await expect(steps).to_have_attribute("aria-invalid", "true")
        await expect(steps).to_be_focused()
        await expect(opened.page.get_by_text("multiple of 64")).to_be_visible()
        await steps.fill("8")
        await expect(steps).not_to_have_attribute("aria-invalid", "true")
        await opened.small()
        await opened.make()
        await opened.hears("Done: 1 picture")


async def test_settings_of_a_job_are_used_again_and_known_to_be_the_same(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server, reduced_motion="reduce") as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt="a green tree", Steps=10)
        await opened.make()
        await opened.hears("Done: 1 picture")
        await opened.enter(Prompt="something else", Steps=50)
        await opened.gallery.get_by_role("button", name="Reuse settings").click()
        await expect(opened.page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value(
            "a green tree"
        )
        await expect(opened.page.get_by_role("spinbutton", name="Steps")).to_have_value("10")
        await expect(opened.page.get_by_role("button", name="Keep this seed")).to_have_attribute(
            "aria-pressed", "true"
        )
        await opened.make()
        await expect(opened.page.get_by_role("status").get_by_text("You made this")).to_be_visible()
        await expect(opened.page.locator(".flash")).to_have_count(1)
        await expect(opened.gallery).to_have_count(1)
        await (
            opened.page.locator("#toasts")
            .get_by_role("button", name="Make with a new seed")
            .click()
        )
        await expect(opened.gallery).to_have_count(2)


async def test_an_image_is_sent_and_its_result_is_the_next_input(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await opened.enter(Prompt="a lake")
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("Choose a picture to start from.")).to_be_visible()
        await choose(opened, drawn(tmp_path))
        await opened.page.get_by_role("slider", name="Strength").fill("0.5")
        await opened.make()
        await opened.hears("Done: 1 picture")
        await opened.pictures(opened.gallery).click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        await expect(viewer.get_by_text("0.5", exact=True)).to_be_visible()
        await viewer.get_by_role("button", name="Edit with a prompt").click()
        await opened.hears("Picture taken, 256 by 256 pixels")
        await opened.make()
        await expect(opened.gallery).to_have_count(2)


async def test_on_a_phone_one_goes_on_in_the_form(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server, **PHONE) as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt="a lighthouse", Seed=7)
        await opened.make()
        await opened.hears("Done: 1 picture")
        await opened.make()
        note = opened.page.get_by_role("status").get_by_text("You made this before.")
        box = await note.bounding_box()
        assert box
        assert box["height"] < 2 * 24  # one line
        await opened.page.get_by_role("button", name="Dismiss").click()
        await opened.page.locator("#stage").get_by_role("button", name="Erase or repaint").click()
        await opened.close_mask()
        button = opened.page.get_by_role("button", name="Paint the mask")
        await expect(button).to_be_focused()
        await expect(button).to_be_in_viewport(ratio=1)
