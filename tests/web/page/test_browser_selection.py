"""Several pictures at once: selected, downloaded, marked, compared, deleted and put back."""

import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from benchmarks.filled import fill
from tests.support.page import DELETED, PLAIN, Studio, studio
from tests.support.server import Server, starter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

JOBS = 8  # with 1, 1, 4, 1, 2, 1, 1, 4 pictures, the oldest first


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, certificate: Path) -> AsyncIterator[Server]:
    """A server with a few jobs, which each test may change."""
    fill(tmp_path / "output", JOBS)
    async with starter(tmp_path, certificate)(PLAIN) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def opened(browser: Browser, server: Server) -> AsyncIterator[Studio]:
    async with studio(browser, server, viewport={"width": 1440, "height": 1600}) as opened:
        await opened.open()
        await seen(opened)
        await expect(opened.gallery).to_have_count(15)
        yield opened


async def seen(opened: Studio) -> None:
    """Scroll to the gallery, which has elements only for what is near."""
    await opened.gallery.first.wait_for()
    await opened.page.evaluate("document.querySelector('#gallery').scrollIntoView()")


def tiles(opened: Studio) -> Locator:
    return opened.gallery


async def choose(tile: Locator) -> None:
    await tile.hover()
    await tile.get_by_role("checkbox").click()


def bar(opened: Studio) -> Locator:
    return opened.page.get_by_role("toolbar", name="Selected pictures")


async def there(opened: Studio) -> int:
    """Return how many jobs the server has."""
    async with opened.server.client() as client, client.get("/jobs") as response:
        return len((await response.json())["jobs"])


async def test_pictures_are_selected_by_mouse_and_keyboard(opened: Studio) -> None:
    page = opened.page
    await choose(tiles(opened).nth(1))
    await expect(bar(opened)).to_contain_text("1 selected")
    await tiles(opened).nth(4).locator(".tile-open").click(modifiers=["Shift"])
    await expect(bar(opened)).to_contain_text("4 selected")
    await tiles(opened).nth(2).locator(".tile-open").click()  # while selecting, a click selects
    await expect(bar(opened)).to_contain_text("3 selected")
    await page.keyboard.press("Escape")
    await expect(bar(opened)).to_be_hidden()
    await page.keyboard.press("x")
    await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(bar(opened)).to_contain_text("3 selected")
    await page.keyboard.press("Control+a")
    await expect(bar(opened)).to_contain_text("15 selected")
    await bar(opened).get_by_role("button", name="End selecting").click()
    await expect(opened.gallery.get_by_role("checkbox", checked=True)).to_have_count(0)


async def test_a_zip_has_the_selected_pictures(opened: Studio, tmp_path: Path) -> None:
    await choose(tiles(opened).nth(0))
    await choose(tiles(opened).nth(4))
    async with opened.page.expect_download() as waiting:
        await bar(opened).get_by_role("button", name="Download").click()
    download = await waiting.value
    assert download.suggested_filename.endswith(".zip")
    await download.save_as(tmp_path / "pictures.zip")
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert archive.namelist() == [
            "a-red-fox-in-the-snow-number-7-7-1.png",
            "a-lighthouse-at-dusk-number-6-6-1.png",
        ]


async def test_favourites_are_marked_together(opened: Studio) -> None:
    for index in (0, 5):
        await choose(tiles(opened).nth(index))
    await bar(opened).get_by_role("button", name="Favourite").click()
    await expect(opened.gallery.locator(".tile-favourite[aria-pressed=true]")).to_have_count(2)
    await expect(bar(opened).get_by_role("button", name="Unmark")).to_be_visible()


async def test_a_deletion_is_undone_before_it_is_sent(opened: Studio) -> None:
    for index in (4, 5):
        await choose(tiles(opened).nth(index))
    await bar(opened).get_by_role("button", name="Delete").click()
    toast = opened.page.locator(".toast")
    await expect(toast).to_contain_text("2 pictures deleted")
    await expect(opened.gallery).to_have_count(13)
    opened.provoked = (DELETED,)  # the new page may load a picture that it still deletes
    await opened.page.reload()  # a page that is left sends the deletion
    await opened.connected()
    await seen(opened)
    await expect(opened.gallery).to_have_count(13)
    assert await there(opened) == JOBS - 2
    await tiles(opened).nth(5).locator(".tile-open").focus()
    await opened.page.keyboard.press("Delete")
    await opened.page.get_by_role("dialog").get_by_role("button", name="Delete 2 pictures").click()
    await expect(opened.gallery).to_have_count(11)
    await toast.get_by_role("button", name="Undo").click()
    await expect(opened.gallery).to_have_count(13)
    await expect(toast).to_have_count(0)
    await opened.page.reload()
    await opened.connected()
    await seen(opened)
    await expect(opened.gallery).to_have_count(13)
    assert await there(opened) == JOBS - 2


async def test_a_job_with_several_pictures_is_deleted_only_after_a_question(
    opened: Studio,
) -> None:
    await tiles(opened).nth(0).locator(".tile-open").focus()
    await opened.page.keyboard.press("Delete")
    question = opened.page.get_by_role("dialog")
    await expect(question).to_contain_text(
        "The pictures of a job are deleted together. Delete all 4?"
    )
    await question.get_by_role("button", name="Cancel").click()
    await expect(opened.gallery).to_have_count(15)
    await tiles(opened).nth(0).locator(".tile-open").focus()
    await opened.page.keyboard.press("Control+a")
    await opened.page.keyboard.press("Delete")
    await expect(opened.page.locator(".toast")).to_contain_text("15 pictures deleted")
    await expect(opened.gallery).to_have_count(0)
    await opened.page.locator(".toast").get_by_role("button", name="Undo").click()
    await seen(opened)
    await expect(opened.gallery).to_have_count(15)


async def test_two_pictures_are_compared_with_a_slider(opened: Studio) -> None:
    page = opened.page
    await choose(tiles(opened).nth(0))
    compare = bar(opened).get_by_role("button", name="Compare")
    await expect(compare).to_be_disabled()
    await choose(tiles(opened).nth(1))
    await compare.click()
    dialog = page.get_by_role("dialog", name="Compare two pictures")
    slider = dialog.get_by_role("slider")
    await expect(slider).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(slider).to_have_attribute("aria-valuetext", "51 % left, 49 % right")
    left = dialog.get_by_alt_text("Left")
    await expect(left).to_have_css("clip-path", "inset(0px 49% 0px 0px)")
    stage = dialog.locator(".compare-stage")
    await expect(stage).to_have_attribute("style", re.compile("--ratio"))  # as large as it will be
    box = await stage.bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 50)
    await page.mouse.up()
    await expect(slider).to_have_value("90")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(compare).to_be_focused()
