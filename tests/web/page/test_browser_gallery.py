"""The gallery: rows of true proportions, elements for what is near, search, keyboard, drags."""

import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from benchmarks.filled import fill
from tests.support.page import PHONE, PLAIN, Studio, studio
from tests.support.server import Server, starter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

JOBS = 300
PICTURES = JOBS // 5 * 9  # of each five jobs one has four pictures, one has two
BOXES = """(tiles) => tiles.map((tile) => {
  const { left, top, right, bottom } = tile.getBoundingClientRect();
  const image = tile.querySelector("img");
  return { left, top, right, bottom, ratio: image.naturalWidth / image.naturalHeight };
})"""
SCROLL = """(top) => {
  const rows = document.querySelector(".rows");
  scrollBy({ top: rows.getBoundingClientRect().top - top, behavior: "instant" });
}"""
SHIFT = """() => new Promise((resolve) => {
  const look = () => {
    const near = [700, 710].flatMap((at) => document.elementsFromPoint(at, at - 250));
    // The second point is for a gap at the first one; rows are drawn after a scroll.
    window.watched = near.find((one) => one.matches(".tile"));
    if (!window.watched) return requestAnimationFrame(look);
    window.before = window.watched.getBoundingClientRect().top;
    resolve(window.watched.textContent);
  };
  look();
})"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server with many jobs; tests do not delete them."""
    folder = tmp_path_factory.mktemp("gallery")
    fill(folder / "output", JOBS)
    async with starter(folder, certificate)(PLAIN) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser: Browser, server: Server) -> AsyncIterator[Studio]:
    async with studio(browser, server, viewport={"width": 1440, "height": 900}) as opened:
        await opened.open()
        await opened.gallery.first.wait_for()
        yield opened


def tiles(opened: Studio) -> Locator:
    return opened.page.locator("#gallery .tile")


async def loaded(opened: Studio) -> None:
    """Wait until every picture that is near is there."""
    await expect(tiles(opened).locator("img:not(.loaded)")).to_have_count(0)


async def test_rows_are_full_and_pictures_keep_their_proportions(opened: Studio) -> None:
    await loaded(opened)
    boxes = await tiles(opened).evaluate_all(BOXES)
    rows: dict[float, list[dict[str, float]]] = {}
    for box in boxes:
        rows.setdefault(box["top"], []).append(box)
    assert len(rows) > 2
    right = max(box["right"] for box in boxes)
    for row in rows.values():
        assert row[-1]["right"] == pytest.approx(right, abs=1)
        for left, following in itertools.pairwise(row):
            assert following["left"] - left["right"] == pytest.approx(4, abs=0.1)
        for box in row:
            shown = (box["right"] - box["left"]) / (box["bottom"] - box["top"])
            assert shown == pytest.approx(box["ratio"], rel=0.03)


async def test_pictures_of_a_row_with_room_are_in_line_with_those_of_the_next(
    opened: Studio,
) -> None:
    lefts = await opened.page.evaluate(
        """async () => {
          const { layout } = await import("/static/rows.js");
          const tiles = (count, job) => [...Array(count).keys()].map((key) => (
            { key: `${job}${key}`, job, ratio: 1 }));
          const { starts } = layout(tiles(8, "old"), 840, 210);
          const { rows } = layout([...tiles(2, "new"), ...tiles(8, "old")], 840, 210, starts);
          return rows.map(({ tiles }) => tiles.slice(0, 2).map(({ left }) => left));
        }"""
    )
    assert lefts == [lefts[0]] * 3


async def test_only_what_is_near_has_elements_however_far_one_scrolls(opened: Studio) -> None:
    page = opened.page
    while not await opened.gallery.filter(has_text=re.compile("number 0$")).count():
        await page.mouse.wheel(0, 20_000)
        await page.evaluate("() => new Promise(requestAnimationFrame)")
    assert await tiles(opened).count() < 150
    assert await page.evaluate("document.querySelector('.rows').childElementCount") < 150
    await loaded(opened)


async def test_sizes_change_the_rows_and_are_kept(opened: Studio) -> None:
    async def height() -> float:
        return float(await tiles(opened).first.evaluate("(tile) => tile.offsetHeight"))

    group = opened.page.get_by_role("group", name="Size")
    heights = []
    for name in ("Small", "Medium", "Large"):
        await group.get_by_role("button", name=f"{name} pictures").click()
        heights.append(await height())
    assert heights == sorted(heights)
    assert heights[2] > 2 * heights[0]
    await opened.page.reload()
    await tiles(opened).first.wait_for()
    assert await height() == heights[2]


async def test_search_type_and_favourites_are_combined(opened: Studio) -> None:
    search = opened.page.get_by_role("searchbox", name="Search prompts")
    await opened.page.evaluate(SCROLL, -3000)
    place = await search.bounding_box()
    await search.fill("FOX 28")
    await expect(opened.gallery.filter(has_not_text="28")).to_have_count(0)
    await expect(opened.gallery.filter(has_not_text="fox")).to_have_count(0)
    await expect(opened.gallery.filter(has_text=re.compile("number 28$"))).to_have_count(1)
    await expect(opened.gallery.first).to_be_in_viewport(ratio=1)
    assert await search.bounding_box() == place
    await opened.page.get_by_label("Type").select_option("inpaint-image")
    await expect(opened.gallery).to_have_count(0)
    await opened.page.get_by_role("button", name="Show all pictures").click()
    await expect(search).to_be_focused()
    await expect(opened.gallery.filter(has_text="lighthouse").first).to_be_visible()


async def test_a_favourite_is_seen_in_the_other_window_and_found(
    browser: Browser, opened: Studio
) -> None:
    async with studio(browser, opened.server) as other:
        await other.open()
        await other.gallery.first.wait_for()
        picture = opened.gallery.nth(1)
        prompt = await picture.locator(".tile-prompt").inner_text()
        await picture.hover()
        await picture.get_by_role("button", name="Favourite", exact=True).click()
        there = other.gallery.filter(has_text=prompt)
        await expect(there.locator("[aria-pressed=true]")).to_have_count(1)
        await expect(picture.locator("[aria-pressed=true]")).to_have_count(1)
        await other.page.get_by_role("button", name="Favourites only").click()
        await expect(other.gallery).to_have_count(1)
        await expect(other.gallery).to_contain_text(prompt)
        await picture.get_by_role("button", name="Favourite", exact=True).click()
        await expect(other.gallery).to_have_count(0)


async def test_the_gallery_is_one_tab_stop_with_arrows_between_pictures(opened: Studio) -> None:
    page = opened.page
    stops = page.locator("#gallery .rows [tabindex='0']")
    await expect(stops).to_have_count(1)
    await expect(stops).to_have_attribute("aria-keyshortcuts", "F X Delete")
    about = tiles(opened).first.locator(".tile-about")
    await expect(about).to_have_css("opacity", "0")
    await stops.focus()
    await expect(about).to_have_css("opacity", "1")

    async def at() -> dict[str, Any]:
        box: dict[str, Any] = await page.evaluate(
            "(({ left, top }) => ({ left, top: top + scrollY }))"
            "(document.activeElement.getBoundingClientRect())"
        )
        return box

    first = await at()
    await page.keyboard.press("ArrowRight")
    second = await at()
    assert second["left"] > first["left"]
    assert second["top"] == first["top"]
    await page.keyboard.press("ArrowDown")
    below = await at()
    assert below["top"] > second["top"]
    await page.keyboard.press("ArrowUp")
    assert (await at())["top"] == first["top"]
    await expect(stops).to_have_count(1)
    await page.keyboard.press("End")
    assert (await at())["top"] > below["top"]
    await page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem", name="Open")).to_be_focused()
    await page.keyboard.press("End")
    await expect(menu.get_by_role("menuitem", name="Delete")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Picture")).to_be_visible()


@pytest.mark.parametrize("top", [80, -400], ids=["the first row half below the bar", "deep"])
async def test_a_new_picture_does_not_move_what_one_looks_at(opened: Studio, top: int) -> None:
    page = opened.page
    await loaded(opened)
    await page.evaluate(SCROLL, top)
    await loaded(opened)
    await page.evaluate(SHIFT)
    form = {"prompt": "a new picture", "width": 256, "height": 256, "steps": 1, "seed": abs(top)}
    async with (
        opened.server.client() as client,
        client.post("/text-to-image", json=form, allow_redirects=False) as response,
    ):
        assert response.status == 302
    await opened.hears("Done: 1 picture, a new picture")
    await page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    moved = await page.evaluate("window.watched.getBoundingClientRect().top - window.before")
    assert moved == pytest.approx(0, abs=2)


async def test_downloads_have_speaking_names(opened: Studio) -> None:
    picture = opened.gallery.filter(has_text="number 298").first
    await picture.hover()
    async with opened.page.expect_download() as waiting:
        await picture.get_by_role("link", name="Download").click()
    download = await waiting.value
    assert download.suggested_filename == "a-red-fox-in-the-snow-number-298-298-1.png"


async def test_a_drag_carries_the_pictures_address(opened: Studio) -> None:
    carried = await opened.gallery.first.locator(".tile-open").evaluate(
        """(button) => {
          const dataTransfer = new DataTransfer();
          button.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
          return dataTransfer.getData("text/uri-list");
        }"""
    )
    assert re.fullmatch(r"http://.*/text-to-image/[0-9a-f]{32}/[1-9][0-9]*\.png", carried)


async def test_on_a_phone_a_menu_has_the_actions(browser: Browser, server: Server) -> None:
    async with studio(browser, server, **PHONE) as opened:
        await opened.open()
        picture = opened.gallery.first
        await picture.scroll_into_view_if_needed()
        button = picture.get_by_role("button", name="More actions")
        await expect(button).to_be_visible()
        box = await button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
        await button.tap()
        await opened.page.get_by_role("menuitem", name="Copy seed").tap()
        await expect(opened.page.locator(".toast")).to_contain_text("Seed copied.")
        overflow = "document.documentElement.scrollWidth - innerWidth"
        assert await opened.page.evaluate(overflow) <= 0


async def test_a_reconnect_keeps_the_older_jobs_that_were_loaded(opened: Studio) -> None:
    kept = await opened.page.evaluate(
        """async () => {
          const { Store } = await import("/static/store.js");
          const job = (day) => ({ resultUrl: `/${day}`, createdAt: `2026-01-0${day}` });
          const page = (days, nextCursor) => ({ jobs: days.map(job), nextCursor });
          const urls = (store) => store.all.map(({ resultUrl }) => resultUrl).join("");
          const store = new Store();
          store.replace(page([4, 3], "3"));
          store.append(page([2, 1], "1"));
          store.replace(page([5, 4], "4"));
          const overlapping = [urls(store), store.nextCursor];
          store.replace(page([9, 8], "8"));
          return [...overlapping, urls(store), store.nextCursor];
        }"""
    )
    assert kept == ["/5/4/3/2/1", "1", "/9/8", "8"]
