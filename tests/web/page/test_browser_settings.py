"""The form's choices, and where settings come from: links, former prompts, files, the seed."""

import io
import re
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from playwright.async_api import Browser, FloatRect, Locator, expect

from sdrest.parameter_values import SIZE_MULTIPLE
from sdrest.sampling_steps import is_usable
from tests.support.page import PHONE, PLAIN, Studio, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LAPTOP: Any = {"viewport": {"width": 1280, "height": 720}}
API_WORD = re.compile(r"\b(null|true|false|string|integer|boolean|JSON|[a-z]+[A-Z]\w*)\b")
TEXTS = """(element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode.data);
  return texts;
}"""
TYPES = ("Text to image", "Image to image", "Inpaint image")
WEB_UI = """a foggy <harbour>, masts
Negative prompt: people, text
Steps: 24, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 520x768, Model hash: 0123456789"""


def prompt(opened: Studio) -> Locator:
    return opened.page.get_by_role("textbox", name="Prompt", exact=True)


def number(opened: Studio, name: str) -> Locator:
    return opened.page.get_by_role("spinbutton", name=name, exact=True)


def chip(opened: Studio, group: str, text: str) -> Locator:
    return opened.page.get_by_role("group", name=group).get_by_text(text, exact=True)


async def box(opened: Studio, selector: str) -> FloatRect:
    found = await opened.page.locator(selector).bounding_box()
    assert found
    return found


async def menu(opened: Studio, name: str, item: str) -> None:
    await opened.page.get_by_role("button", name=name).click()
    await opened.page.get_by_role("menuitem", name=item).click()


def web_ui_picture() -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", WEB_UI)
    written = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(written, "PNG", pnginfo=texts)
    return written.getvalue()


async def test_every_choice_is_one_that_the_scripts_can_run(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        for job_type in TYPES:
            await opened.tab(job_type)
            await opened.page.get_by_text("Advanced").locator("visible=true").click()
            for text in ("Draft", "Good", "Fine"):
                await chip(opened, "Quality", text).click()
                assert is_usable(int(await number(opened, "Steps").input_value()))
        texts = await opened.page.locator("#compose").evaluate(TEXTS)
        assert [text for text in texts if API_WORD.search(text)] == []
        await opened.tab("Text to image")
        sizes = set()
        for text in ("1:1", "4:3", "3:2", "16:9", "3:4", "2:3", "9:16"):
            await chip(opened, "Proportions", text).click()
            width, height = [
                int(await number(opened, n).input_value()) for n in ("Width", "Height")
            ]
            across, _, down = text.partition(":")
            assert width / height == pytest.approx(int(across) / int(down), rel=0.05)
            assert (width % SIZE_MULTIPLE, height % SIZE_MULTIPLE) == (0, 0)
            sizes.add((width, height))
        assert len(sizes) == 7
        await chip(opened, "Pictures", "8").click()
        await expect(number(opened, "Pictures")).to_have_value("8")
        await expect(opened.page.get_by_text("8 pictures", exact=True)).to_be_visible()
        await number(opened, "Pictures").fill("3")
        await expect(opened.page.get_by_role("radio", name="3", exact=True)).to_be_checked()


async def test_the_button_and_what_is_wrong_are_always_in_view(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server:
        for device in (LAPTOP, PHONE):
            async with studio(browser, server, **device) as opened:
                await opened.open()
                button = opened.page.get_by_role("button", name="Make picture")
                await expect(button).to_be_in_viewport(ratio=1)
                is_phone = device is PHONE
                await expect(button.locator("kbd")).to_be_visible(visible=not is_phone)
                width = await opened.page.evaluate("document.documentElement.scrollWidth")
                assert width <= device["viewport"]["width"]
                await button.click()
                await expect(prompt(opened)).to_have_accessible_description(
                    re.compile("Enter a prompt")
                )
                await expect(opened.page.get_by_text("Please fix the marked")).to_be_in_viewport()
                await prompt(opened).fill("a boat")
                await expect(opened.page.get_by_text("Please fix the marked")).to_be_hidden()
                await expect(opened.page.get_by_text("Enter a prompt.")).to_be_hidden()
                await opened.page.get_by_text("Advanced").locator("visible=true").click()
                await opened.page.get_by_role("combobox", name="Keep model loaded").select_option(
                    "1 hour"
                )
                await expect(button).to_be_in_viewport(ratio=1)
                if is_phone:
                    await opened.page.set_viewport_size({"width": 320, "height": 640})
                    tabs = "document.querySelector('.tabs')"
                    overflow = f"{tabs}.scrollWidth - {tabs}.clientWidth"
                    assert await opened.page.evaluate(overflow) <= 0
                else:
                    for width in (1280, 1920):
                        await opened.page.set_viewport_size({"width": width, "height": 1080})
                        form, stage = await box(opened, "#compose"), await box(opened, "#stage")
                        assert 380 <= form["width"] <= 420
                        assert form["x"] + form["width"] < stage["x"]
                        assert stage["x"] + stage["width"] > width - 24
        async with server.client() as client, client.get("jobs") as answer:
            assert (await answer.json())["jobs"] == []


async def test_there_is_one_prompt_for_all_forms(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await prompt(opened).fill("קרקעית הים")
        assert await prompt(opened).evaluate("e => getComputedStyle(e).direction") == "rtl"
        negative = opened.page.get_by_role("textbox", name="Negative prompt")
        await negative.fill("fog")
        await opened.tab("Image to image")
        await expect(prompt(opened)).to_have_value("קרקעית הים")
        await expect(negative).to_have_value("fog")
        await prompt(opened).fill("a reef")
        await opened.tab("Inpaint image")
        sentence = opened.page.get_by_text("No prompt needed.").locator("visible=true")
        await expect(sentence).to_have_count(1)
        await sentence.get_by_role("button", name="Repaint with a prompt").click()
        await expect(prompt(opened)).to_be_focused()
        await opened.tab("Text to image")
        await expect(prompt(opened)).to_have_value("a reef")


async def test_a_kept_seed_says_what_becomes_of_fewer_pictures(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt="a red boat", Iterations=4)
        await opened.make()
        await opened.hears("Done: 4 pictures")
        await opened.page.get_by_role("button", name="Keep this seed").click()
        remark = opened.page.get_by_text("This seed has made 4 pictures")
        await expect(remark).to_have_count(0)
        await chip(opened, "Pictures", "2").click()
        await expect(remark).to_contain_text("these will be like the first 2.")
        await chip(opened, "Pictures", "1").click()
        await expect(remark).to_contain_text("this one will be like the first.")
        await opened.make()
        await opened.hears("Done: 1 picture, a red boat")
        async with server.client() as client:
            async with client.get("jobs") as answer:
                one, four = (await answer.json())["jobs"]
            made = []
            for url in (one["imageUrls"][0], four["imageUrls"][0]):
                async with client.get(url) as answer:
                    made.append(Image.open(io.BytesIO(await answer.read())).tobytes())
        assert made[0] == made[1]
        await opened.page.get_by_role("button", name="Random seed").click()
        await expect(remark).to_have_count(0)


async def test_a_link_fills_the_form_and_is_copied_from_it(browser: Browser, serve: Serve) -> None:
    grants = ["clipboard-read", "clipboard-write"]
    async with serve(PLAIN) as server, studio(browser, server, permissions=grants) as opened:
        await opened.page.goto(
            f"{opened.root}#type=toString&prompt=a+boat+%26+a+fox&steps=24&iterations=2&seed=7"
        )
        await opened.connected()
        await expect(prompt(opened)).to_have_value("a boat & a fox")
        await expect(number(opened, "Seed")).to_have_value("7")
        await expect(chip(opened, "Quality", "24 steps")).to_be_visible()
        await expect(opened.page).to_have_url(opened.root)
        await menu(opened, "More actions", "Copy link to these settings")
        await expect(opened.page.get_by_text("Link copied.")).to_be_visible()
        link = await opened.page.evaluate("navigator.clipboard.readText()")
        await menu(opened, "More actions", "Reset the form")
        await expect(prompt(opened)).to_have_value("")
        await opened.page.evaluate("link => { location.href = link; }", link)
        await expect(prompt(opened)).to_have_value("a boat & a fox")
        await expect(opened.page.get_by_role("radio", name="2", exact=True)).to_be_checked()
        await expect(opened.under_way).to_have_count(0)


async def test_seed_prompts_and_files_bring_settings_back(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server, **LAPTOP) as opened:
        await opened.open()
        await opened.small()
        await expect(number(opened, "Seed")).to_have_value("")
        for text in ("a red boat", "a green tree"):
            await prompt(opened).fill(text)
            await opened.make()
            await opened.hears(f"Done: 1 picture, {text}")
        await expect(opened.page.get_by_text(re.compile(r"^about \d+ s$"))).to_be_visible()
        seed = await number(opened, "Seed").input_value()
        assert seed.isdecimal()  # the random one
        await opened.page.get_by_role("button", name="Keep this seed").click()
        await opened.page.reload()
        await opened.connected()
        await expect(number(opened, "Seed")).to_have_value(seed)
        await opened.make()  # with the seed that was random then
        await expect(opened.page.get_by_text("You made this before.")).to_be_visible()
        await opened.page.get_by_role("button", name="Random seed").click()
        await expect(number(opened, "Seed")).to_have_value("")

        await prompt(opened).fill("")
        for key, shown in (("Up", "a green tree"), ("Up", "a red boat"), ("Down", "a green tree")):
            await prompt(opened).press(f"Arrow{key}")
            await expect(prompt(opened)).to_have_value(shown)
        await menu(opened, "Earlier prompts", "a red boat")
        await expect(prompt(opened)).to_have_value("a red boat")
        await menu(opened, "Earlier prompts", "Clear this list")
        await opened.page.get_by_role("button", name="Earlier prompts").click()
        await expect(opened.page.get_by_role("menuitem")).to_have_text(re.compile("come here"))
        await opened.page.keyboard.press("Escape")

        card = opened.gallery.filter(has_text="a green tree")
        path = await card.get_by_role("link", name="Download").get_attribute("href")
        async with server.client() as client, client.get(str(path)) as answer:
            made = await answer.read()
        await opened.drop("made.png", made)
        offer = opened.page.locator("#compose").get_by_role("button", name="Reuse settings")
        await expect(offer).to_be_in_viewport(ratio=1)
        await offer.click()
        await expect(offer).to_be_hidden()
        await expect(prompt(opened)).to_have_value("a green tree")
        await expect(number(opened, "Seed")).to_have_value(seed)
        await opened.drop("web-ui.png", web_ui_picture())
        await offer.click()
        await expect(prompt(opened)).to_have_value("a foggy <harbour>, masts")
        await expect(opened.page.get_by_role("textbox", name="Negative prompt")).to_have_value(
            "people, text"
        )
        await expect(number(opened, "Seed")).to_have_value("1234")
        await expect(chip(opened, "Quality", "24 steps")).to_be_visible()
        await expect(opened.page.get_by_role("radio", name="2:3")).to_be_checked()
