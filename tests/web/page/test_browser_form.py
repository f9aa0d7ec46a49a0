"""The three forms, from an empty field to a picture."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.async_api import Browser, Locator, expect

from tests.support.fake_fork import FAKE
from tests.support.page import PLAIN, Studio, studio
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
        await opened.enter(Prompt="a white boat on a lake at sunset", Iterations=9, Steps=50)
        await opened.make()
        card = opened.under_way.filter(has_text="a white boat")
        await expect(card).to_contain_text(
            re.compile(r"Picture \d+ of 9 · \d+ % · about \d+ s left")
        )
        await expect(card.get_by_role("progressbar")).to_have_attribute(
            "value", re.compile("0\\.[0-9]")
        )
        await expect(opened.page).to_have_title(re.compile(r"\d+ % · sdrest"))
        await expect(opened.pictures(card).first).to_be_visible()
        await opened.hears("Done: 9 pictures")
        done = opened.gallery.filter(has_text="a white boat")
        await expect(opened.pictures(done)).to_have_count(9)
        await expect(opened.under_way).to_have_count(0)
        await expect(opened.page).to_have_title("sdrest")


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
        await opened.page.get_by_role("button", name="Make with a new seed").click()
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


async def test_a_mask_is_drawn_and_only_what_it_covers_changes(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    start = drawn(tmp_path)
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Inpaint image")
        await choose(opened, start)
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("Paint over the part")).to_be_visible()
        await opened.stroke((0.25, 0.25), (0.45, 0.45))
        await opened.make()
        await opened.hears("Done: 1 picture")
        result = await fetched(server, await download(opened.gallery))
        changed = ImageChops.difference(result, Image.open(start)).getbbox()
        assert changed is not None
        left, top, right, bottom = changed
        brush = 0.12 * SIDE
        assert min(left, top) >= 0.25 * SIDE - brush
        assert max(right, bottom) <= 0.45 * SIDE + brush


async def test_image_to_image_may_change_only_what_is_painted(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    start = drawn(tmp_path)
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await opened.enter(Prompt="paint")
        await opened.page.get_by_role("textbox", name="Negative prompt").fill("fog")
        await choose(opened, start)
        await expect(opened.mask).to_be_hidden()
        await opened.page.get_by_role("checkbox", name="Repaint only a part").check()
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("Paint over the part")).to_be_visible()
        await opened.stroke((0.25, 0.75), (0.45, 0.75))
        await opened.make()
        await opened.hears("Done: 1 picture")
        result = await fetched(server, await download(opened.gallery))
        changed = ImageChops.difference(result, Image.open(start)).getbbox()
        assert changed is not None
        left, top, right, bottom = changed
        assert 0.1 * SIDE < left < right < 0.6 * SIDE
        assert 0.6 * SIDE < top < bottom < 0.9 * SIDE
        await opened.pictures(opened.gallery).click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        await expect(viewer.get_by_text("fog", exact=True)).to_be_visible()
        await expect(
            viewer.locator("div", has=opened.page.get_by_text("Mask", exact=True)).last
        ).to_have_text("Maskyes")


async def test_the_mask_can_be_painted_by_keyboard(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Inpaint image")
        await choose(opened, drawn(tmp_path))
        await opened.mask.focus()
        for key in ("ArrowLeft", "Space", "Shift+ArrowRight", "Shift+ArrowRight", "Space"):
            await opened.page.keyboard.press(key)
        await opened.hears("Brush up")
        painted = await opened.painted()
        await opened.page.keyboard.press("Space")
        await opened.page.keyboard.press("Shift+ArrowDown")
        await opened.page.keyboard.press("Space")
        assert await opened.painted() > painted > 0
        await opened.page.keyboard.press("Control+z")
        assert await opened.painted() == painted
        await opened.page.get_by_role("button", name="Clear").click()
        assert await opened.painted() == 0


async def test_a_picture_is_dropped_and_what_is_none_is_refused(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await opened.drop("notes.png", b"this is no picture")
        await expect(opened.page.get_by_text("notes.png cannot be read")).to_be_visible()
        await opened.drop("start.png", drawn(tmp_path).read_bytes())
        await expect(opened.start).to_be_visible()
        await opened.page.get_by_role("button", name="Remove").click()
        await expect(opened.start).to_be_hidden()
        await opened.paste("pasted.png", drawn(tmp_path).read_bytes())
        await expect(opened.start).to_be_visible()


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("small.avif", ""),
        ("icon.ico", "image/x-icon"),
        ("drawing.svg", "image/svg+xml"),
    ],
)
async def test_a_dropped_file_that_the_server_cannot_read_is_sent_as_png(
    browser: Browser, serve: Serve, name: str, media_type: str
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await opened.enter(Prompt="a lake")
        await opened.drop(name, (CASES / name).read_bytes(), media_type)
        await expect(opened.start).to_be_visible()
        await opened.make()
        await opened.hears("Done: 1 picture")


@pytest.mark.parametrize("media_type", ["text/plain", "image/heic"])
async def test_a_dropped_file_that_is_no_picture_is_refused_where_the_person_looks(
    browser: Browser, serve: Serve, media_type: str
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.drop("notes.txt", b"this is no picture", media_type)
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Image to image")
        refusal = opened.page.get_by_role("alert").get_by_text("notes.txt cannot be read")
        await expect(refusal).to_be_in_viewport()


async def test_a_loaded_mask_without_white_parts_says_so(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    black = tmp_path / "black.png"
    Image.new("L", (SIDE, SIDE)).save(black)
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Inpaint image")
        await choose(opened, drawn(tmp_path))
        await opened.page.get_by_label("Load a mask").set_input_files(black)
        await expect(opened.page.get_by_text("black.png has no white parts.")).to_be_visible()
        assert await opened.painted() == 0


async def test_a_picture_finds_its_form(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    picture = drawn(tmp_path).read_bytes()
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.page.get_by_role("textbox", name="Prompt", exact=True).focus()
        await opened.paste("text.png", picture, text="a boat")  # as word processors do
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Text to image")
        await opened.paste("start.png", picture)
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Image to image")
        await expect(opened.start).to_be_visible()
        await opened.tab("Inpaint image")
        await opened.drop("start.png", picture)
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Inpaint")


async def test_a_large_picture_is_made_smaller_unless_that_is_not_wanted(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (2048, 1024), "navy").save(large)
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await choose(opened, large)
        await opened.hears("Picture taken, 1024 by 512 pixels")
        await opened.page.get_by_role("button", name="Use its full size").click()
        await opened.hears("Picture taken, 2048 by 1024 pixels")
