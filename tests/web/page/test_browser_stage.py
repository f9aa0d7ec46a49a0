"""The stage, the viewer and the tab: what is seen of jobs while they are made and afterwards."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, expect

from tests.support.page import DELETED, PLAIN, Studio, studio
from tests.support.server import Serve, Server, starter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SMALL: dict[str, Any] = {"width": 256, "height": 256, "steps": 2}
LONG: dict[str, Any] = {"iterations": 100, "steps": 100}
OFFERS = """async () => {
  const { record } = await import("/static/estimate.js");
  const { offerNotifications } = await import("/static/tab.js");
  const progress = { currentImageIndex: 1, currentImageProgress: 0.01, totalImages: 1 };
  const job = { resultUrl: "/a/long/job", status: "IN_PROGRESS", progress };
  record({ ...job, progress: null }, 0);
  record(job, 5000);
  offerNotifications(job);
  return document.querySelectorAll(".toast").length;
}"""
"""A script that says how many offers a job of several minutes brings."""
CLIPBOARD = ["clipboard-read", "clipboard-write"]
READ = "navigator.clipboard.readText()"
"""A script that reads the clipboard."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server for all tests here; it has a landscape of two pictures and a tree."""
    async with starter(tmp_path_factory.mktemp("stage"), certificate)(PLAIN) as server:
        await post(server, prompt=f"a tree\n{'very ' * 400}green", seed=7, **SMALL)
        await post(server, prompt="a landscape", iterations=2, **{**SMALL, "width": 512})
        yield server


async def post(server: Server, *, waits: bool = True, **fields: Any) -> str:
    """Ask for pictures; return the job's path, once it has ended unless it is not to wait."""
    async with server.client() as client, client.post("/text-to-image", json=fields) as answer:
        assert answer.status == 200
        if waits:
            await server.out.end_of(answer.url.name)
        return answer.url.path


async def delete(server: Server, *paths: str) -> None:
    async with server.client() as client:
        for path in paths:
            async with client.delete(path) as answer:
                assert answer.status == 204


async def test_an_example_becomes_a_picture_at_one_click(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        examples = opened.page.get_by_role("listitem").get_by_role("button")
        await expect(examples).to_have_count(6)
        for image in await examples.locator("img").all():
            await expect(image).to_have_js_property("naturalWidth", 440)
        await examples.filter(has_text="lighthouse").click()
        await opened.hears("Done: 1 picture, a lighthouse on a cliff by the sea at dusk")
        await expect(examples.first).to_be_hidden()
        enlarge = opened.page.get_by_role("button", name="Enlarge picture 1 of 1: a lighthouse")
        await expect(enlarge.locator("img")).to_have_js_property("naturalWidth", 512)
        download = opened.page.locator("#stage").get_by_role("link", name="Download")
        name = await download.get_attribute("download") or ""
        assert re.fullmatch(r"a-lighthouse-on-a-cliff-by-the-sea-at-dusk-\d+-1\.png", name)
        again = opened.page.locator("#stage").get_by_role("button", name="Make with a new seed")
        await again.click()
        await expect(opened.gallery).to_have_count(2)


async def test_the_demo_engine_says_how_to_get_the_real_one(
    browser: Browser, server: Server
) -> None:
    async with studio(browser, server, permissions=CLIPBOARD) as opened:
        await opened.open()
        await opened.page.get_by_role("button", name="Demo engine").click()
        await expect(
            opened.page.get_by_text("You are using the built-in demo engine")
        ).to_be_visible()
        await opened.page.get_by_role("button", name="Copy", exact=True).click()
        await expect(opened.page.get_by_text("Command copied.")).to_be_visible()
        assert await opened.page.evaluate(READ) == "sdrest setup"


@pytest.mark.parametrize(
    "window", [ViewportSize(width=1920, height=1080), ViewportSize(width=390, height=844)]
)
async def test_the_viewer_shows_the_picture_large_whatever_the_prompt(
    browser: Browser, server: Server, window: ViewportSize
) -> None:
    options = {"viewport": window, "permissions": CLIPBOARD}
    async with studio(browser, server, **options) as opened:
        await opened.open()
        stage = await opened.page.locator("#stage .frame-picture").bounding_box()
        assert stage
        assert stage["width"] > 0.65 * window["width"]
        await opened.pictures(opened.gallery.filter(has_text="a tree")).click()
        image = opened.viewer.get_by_role("img")
        box = await image.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= min(0.5 * window["height"], window["width"])
        prompt = opened.viewer.locator(".viewer-prompt")
        await expect(prompt).to_have_attribute("dir", "auto")
        assert (await prompt.inner_text()).startswith("a tree\nvery very")
        clamped = await prompt.bounding_box()
        await opened.viewer.get_by_role("button", name="Show all").click()
        shown = await prompt.bounding_box()
        assert clamped
        assert shown
        assert shown["height"] > 2 * clamped["height"]
        await expect(image).to_be_in_viewport()
        await opened.viewer.get_by_role("button", name="Copy prompt").click()
        await expect(opened.viewer.get_by_text("Prompt copied.")).to_be_visible()
        assert str(await opened.page.evaluate(READ)).startswith("a tree\nvery")
        await opened.viewer.get_by_role("button", name="Copy seed").click()
        await expect(opened.viewer.get_by_text("Seed copied.")).to_be_visible()
        assert await opened.page.evaluate(READ) == "7"


async def test_arrows_lead_from_job_to_job_and_a_deletion_to_the_next(
    browser: Browser, server: Server
) -> None:
    await post(server, prompt="a hill", **SMALL)
    async with studio(browser, server) as opened:
        await opened.open()
        await opened.pictures(opened.gallery.filter(has_text="a hill")).click()
        prompt = opened.viewer.locator(".viewer-prompt")
        for key, text, place in (
            ("ArrowRight", "a landscape", "1 of 2"),
            ("ArrowRight", "a landscape", "2 of 2"),
            ("ArrowRight", "a tree", "1 of 1"),
            ("ArrowLeft", "a landscape", "2 of 2"),
            ("ArrowUp", "a hill", "1 of 1"),
        ):
            await opened.page.keyboard.press(key)
            await expect(prompt).to_contain_text(text)
            await expect(opened.viewer.locator(".viewer-place")).to_have_text(place)
        favourite = opened.viewer.get_by_role("button", name="Favourite")
        await favourite.click()
        await expect(favourite).to_have_attribute("aria-pressed", "true")
        await opened.page.keyboard.press("f")
        await expect(favourite).to_have_attribute("aria-pressed", "false")
        await opened.viewer.get_by_role("button", name="Delete").click()
        await expect(prompt).to_have_text("a landscape")
        await opened.page.keyboard.press("Control+z")
        await expect(opened.gallery.filter(has_text="a hill")).to_have_count(1)
        await opened.page.keyboard.press("ArrowUp")
        await expect(prompt).to_have_text("a hill")
        await opened.page.keyboard.press("Delete")
        await opened.page.mouse.move(0, 0)  # what is pointed at can be undone
        await expect(prompt).to_have_text("a landscape")
        await opened.hears("Deleted: a hill")
        await opened.page.keyboard.press("Delete")
        question = opened.page.get_by_role("dialog").filter(has_text="Delete all 2?")
        await question.get_by_role("button", name="Cancel").click()
        await expect(prompt).to_have_text("a landscape")


async def test_the_filmstrip_chooses_the_picture_on_the_stage(
    browser: Browser, server: Server
) -> None:
    async with studio(browser, server) as opened:
        await opened.open()
        strip = opened.page.get_by_role("group", name="Pictures of this job")
        await expect(strip.get_by_role("button")).to_have_count(2)
        stage = opened.page.locator("#stage")
        await expect(stage.get_by_role("button", name="Enlarge picture 2 of 2")).to_be_visible()
        await strip.get_by_role("button", name="Picture 1 of 2").click()
        await expect(stage.get_by_role("button", name="Enlarge picture 1 of 2")).to_be_visible()
        await opened.page.keyboard.press("ArrowRight")
        await expect(stage.get_by_role("button", name="Enlarge picture 2 of 2")).to_be_visible()
        await expect(strip.get_by_role("button", name="Picture 2 of 2")).to_be_focused()


async def test_seven_tabs_hear_of_a_job(browser: Browser, server: Server) -> None:
    async with studio(browser, server, DELETED) as opened:
        tabs = [opened.page, *[await opened.page.context.new_page() for _ in range(6)]]
        for page in tabs:
            other = Studio(page, server, opened.complaints, opened.provoked)
            other.watch()
            await other.open()
        path = await post(server, prompt="seen by all", **SMALL)
        for page in reversed(tabs):
            await expect(page.get_by_role("article", name="seen by all").first).to_be_visible()
        await tabs.pop(0).close()  # the one with the stream
        await delete(server, path)
        for page in tabs:
            await expect(page.get_by_role("article", name="seen by all")).to_have_count(0)


async def test_the_title_has_the_place_in_the_queue_and_all_jobs_are_cancelled_at_once(
    browser: Browser, server: Server
) -> None:
    script = """Object.defineProperty(document, "hidden", { get: () => true });
      window.notes = [];
      window.Notification = class extends EventTarget {
        static permission = "default";
        static requestPermission() { Notification.permission = "granted"; }
        constructor(title, { body }) { super(); notes.push(`${title}: ${body}`); }
      };"""
    async with studio(browser, server, DELETED) as opened:
        await opened.page.context.add_init_script(script)
        await opened.open()
        paths = [await post(server, prompt="first", waits=False, **LONG)]
        await opened.page.get_by_role("button", name="Notify me").click()  # it goes soon
        assert await opened.page.evaluate("Notification.permission") == "granted"
        paths += [
            await post(server, prompt=prompt, waits=False, **LONG) for prompt in ("second", "third")
        ]
        await expect(opened.under_way).to_have_count(3)
        await expect(opened.under_way.filter(has_text="third")).to_contain_text("2nd in queue")
        await expect(opened.page).to_have_title(re.compile(r"(s|min) left · \d+ % · sdrest"))
        await opened.page.reload()
        assert await opened.page.evaluate(OFFERS) == 0  # asked once
        await opened.page.evaluate("Notification.permission = 'granted'")
        await opened.page.get_by_role("button", name="Cancel all").click()
        question = opened.page.get_by_role("dialog")
        await question.get_by_role("button", name="Cancel all").click()
        await expect(opened.under_way).to_have_count(0)
        await expect(opened.page).to_have_title("sdrest")
        await delete(server, *paths)
        path = await post(server, prompt="while away", **SMALL)
        await opened.hears("Done: 1 picture, while away")
        assert await opened.page.evaluate("notes") == ["1 picture done: while away"]
        await delete(server, path)
    async with studio(browser, server, user_agent="Mozilla/5.0 (Linux; Android 16)") as opened:
        await opened.page.context.add_init_script(script)
        await opened.open()
        assert await opened.page.evaluate(OFFERS) == 0  # it cannot show one


async def test_what_is_inpainted_stays_in_view_under_its_mask(
    browser: Browser, server: Server
) -> None:
    async with studio(browser, server, reduced_motion="reduce") as opened:
        await opened.open()
        await opened.pictures(opened.gallery.filter(has_text="a tree")).click()
        await opened.viewer.get_by_role("button", name="Erase or repaint").click()
        await expect(opened.start).to_be_visible()
        await opened.stroke((0.3, 0.3), (0.6, 0.6))
        await opened.page.evaluate("""() => {
          const source = document.querySelector(".frame-source");
          window.seen = new Promise((resolve) => new MutationObserver(() => {
            const mask = source.parentElement.querySelector(".frame-mask");
            const shown = source.src.startsWith("blob:") && !source.hidden && !mask.hidden;
            const hasMask = mask.style.maskImage.includes("blob:");
            if (shown) resolve([hasMask, mask.getAnimations().length]);
          }).observe(source.parentElement, { attributes: true, subtree: true }));
        }""")
        await opened.make()
        assert await opened.page.evaluate("seen") == [True, 0]
        await opened.hears("Done: 1 picture")
