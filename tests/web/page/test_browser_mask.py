"""The mask: its editor, what it sends, and masks from files."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageChops
from playwright.async_api import Browser, expect

from tests.support.fake_fork import FAKE
from tests.support.masks import CASES, SIDE, hole, photo, square, where
from tests.support.page import PHONE, PLAIN, Studio, studio
from tests.support.pictures import encoded
from tests.support.server import Server, starter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURE = (512, 256)
READ = """async (cases) => {
  const { pixels, readMask } = await import("/static/mask_file.js");
  const bytes = (data) => new Blob([Uint8Array.from(atob(data), (each) => each.charCodeAt(0))]);
  const read = async ([mask, image]) => {
    const parts = await readMask(bytes(mask), pixels(await createImageBitmap(bytes(image))));
    return parts && String.fromCharCode(...pixels(parts).data.filter((_, at) => at % 4 === 3));
  };
  const found = [];
  for (const each of cases) found.push(await read(each));
  return found;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server whose engine draws; the tests share it."""
    async with starter(tmp_path_factory.mktemp("server"), certificate)(PLAIN) as started:
        yield started


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A picture to start from."""
    path = tmp_path / "start.png"
    Image.linear_gradient("L").resize(PICTURE).convert("RGB").save(path)
    return path


async def changed(opened: Studio, start: Path) -> tuple[int, int, int, int]:
    """Return the box in which the newest result differs from the picture to start from."""
    async with opened.server.client() as client:
        async with client.get("jobs") as answer:
            (url, *_) = (await answer.json())["jobs"][0]["imageUrls"]
        async with client.get(url) as answer:
            result = Image.open(io.BytesIO(await answer.read())).convert("RGB")
    box = ImageChops.difference(result, Image.open(start)).getbbox()
    assert box is not None
    return box


async def inpainting(opened: Studio, start: Path) -> None:
    """Open the editor for a picture."""
    await opened.open()
    await opened.tab("Inpaint")
    await opened.choose(start)
    await expect(opened.mask).to_be_focused()


async def test_a_mask_is_drawn_and_only_what_it_covers_changes(
    browser: Browser, server: Server, start: Path
) -> None:
    async with studio(browser, server) as opened:
        await inpainting(opened, start)
        await expect(opened.page.get_by_role("dialog")).to_contain_text("No prompt needed")
        await opened.close_mask()
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("Paint over the part")).to_be_visible()
        await opened.enter(Steps=8)
        await opened.stroke((0.25, 0.25), (0.45, 0.5))
        await expect(opened.page.get_by_text("Paint over the part")).to_be_hidden()
        await opened.make()
        await opened.hears("Done: 1 picture")
        width, height = PICTURE
        brush = 0.12 * height
        left, top, right, bottom = await changed(opened, start)
        assert 0.25 * width - brush <= left < right <= 0.45 * width + brush
        assert 0.25 * height - brush <= top < bottom <= 0.5 * height + brush


async def test_image_to_image_changes_only_what_is_painted(
    browser: Browser, tmp_path: Path, certificate: Path, start: Path
) -> None:
    async with (
        starter(tmp_path, certificate)(PLAIN, *FAKE) as fake,
        studio(browser, fake) as opened,
    ):
        await opened.open()
        await opened.tab("Image to image")
        await opened.enter(Prompt="paint")
        await opened.page.get_by_role("textbox", name="Negative prompt").fill("fog")
        await opened.choose(start)
        await expect(opened.mask).to_be_hidden()
        await opened.page.get_by_role("checkbox", name="Repaint only a part").check()
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("Paint over the part")).to_be_visible()
        await opened.edit_mask()
        await opened.page.get_by_label("Soft edge").fill("12")
        await opened.stroke((0.25, 0.75), (0.45, 0.75), keep_open=True)
        await opened.close_mask()
        await opened.make()
        await opened.hears("Done: 1 picture")
        width, height = PICTURE
        left, top, right, bottom = await changed(opened, start)
        assert 0.15 * width < left < right < 0.55 * width
        assert 0.6 * height < top < bottom < 0.9 * height
        await opened.pictures(opened.gallery).click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        await expect(viewer.get_by_text("fog", exact=True)).to_be_visible()
        await expect(
            viewer.locator("div", has=opened.page.get_by_text("Mask", exact=True)).last
        ).to_have_text("Maskyes")
        await expect(viewer.get_by_text("12 px", exact=True)).to_be_visible()


async def test_the_mask_is_painted_undone_and_moved_by_keyboard(
    browser: Browser, server: Server, start: Path
) -> None:
    async with studio(browser, server) as opened:
        await inpainting(opened, start)
        press = opened.page.keyboard.press
        for key in ("ArrowLeft", "Space", "Shift+ArrowRight", "Shift+ArrowRight", "Space"):
            await press(key)
        await opened.hears("Brush up")
        first = await opened.painted()
        widths = []
        for key in ("]", "]", "["):
            await press(key)
            widths.append(await opened.page.locator(".brush").evaluate("(e) => e.offsetWidth"))
        assert widths[0] == widths[2] < widths[1]
        for key in ("Space", "Shift+ArrowDown", "Space"):
            await press(key)
        second = await opened.painted()
        assert second > first > 0
        await press("Control+z")
        assert await opened.painted() == first
        await press("Control+Shift+z")
        assert await opened.painted() == second
        await press("e")
        for key in ("Space", "Shift+ArrowUp", "Space"):
            await press(key)
        assert await opened.painted() < second
        for _ in range(3):
            await press("Control+z")
        assert await opened.painted() == 0
        await press("Escape")
        await expect(opened.mask).to_be_hidden()
        await expect(opened.page.get_by_role("button", name="Paint the mask")).to_be_visible()


async def test_the_buttons_change_the_mask_and_can_be_undone(
    browser: Browser, server: Server, start: Path
) -> None:
    async with studio(browser, server) as opened:
        await inpainting(opened, start)
        button = opened.page.get_by_role("dialog", name="Mask").get_by_role("button")
        await expect(button.and_(opened.page.get_by_label("Undo"))).to_have_attribute(
            "aria-disabled", "true"
        )
        await opened.stroke((0.2, 0.5), (0.8, 0.5), keep_open=True)
        painted = await opened.painted()
        for name, share in (("Invert", 1 - painted), ("Clear", 0)):
            await button.and_(opened.page.get_by_label(name)).click()
            assert await opened.painted() == pytest.approx(share, abs=0.02)
        for _ in range(2):
            await button.and_(opened.page.get_by_label("Undo")).click()
        assert await opened.painted() == painted
        await button.and_(opened.page.get_by_label("Redo")).click()
        assert await opened.painted() == pytest.approx(1 - painted, abs=0.02)
        await opened.stroke((0.2, 0.2), (0.8, 0.2), keep_open=True)
        await expect(button.and_(opened.page.get_by_label("Redo"))).to_have_attribute(
            "aria-disabled", "true"
        )


async def test_the_picture_is_zoomed_and_moved_under_the_brush(
    browser: Browser, server: Server, start: Path
) -> None:
    async with studio(browser, server) as opened:
        await inpainting(opened, start)
        page, mask = opened.page, opened.mask
        fitted = await mask.bounding_box()
        assert fitted
        assert fitted["width"] > 0.8 * (await page.evaluate("innerWidth"))  # not 380 pixels
        x, y = fitted["x"] + 0.25 * fitted["width"], fitted["y"] + 0.5 * fitted["height"]
        await page.mouse.move(x, y)
        await page.mouse.wheel(0, -400)
        zoomed = await mask.bounding_box()
        assert zoomed
        assert zoomed["width"] > 1.5 * fitted["width"]
        assert zoomed["x"] + 0.25 * zoomed["width"] == pytest.approx(x, abs=1)  # stays in place
        await page.keyboard.down("Space")
        await page.mouse.down()
        await page.mouse.move(x + 60, y, steps=3)
        await page.mouse.up()
        await page.keyboard.up("Space")
        moved = await mask.bounding_box()
        assert moved
        assert moved["x"] == pytest.approx(zoomed["x"] + 60, abs=1)
        await page.mouse.down(button="middle")
        await page.mouse.move(x, y)
        await page.mouse.up(button="middle")
        back = await mask.bounding_box()
        assert back
        assert back["x"] == pytest.approx(zoomed["x"], abs=1)
        assert await opened.painted() == 0
        await page.mouse.down()
        await page.mouse.up()
        at = "(mask) => mask.getContext('2d').getImageData(128, 128, 1, 1).data[3]"
        assert await mask.evaluate(at) == 255  # painted where the pointer is
        await page.keyboard.press("0")
        assert await mask.bounding_box() == fitted


async def test_two_fingers_zoom_and_one_paints(
    browser: Browser, server: Server, start: Path
) -> None:
    async with studio(browser, server, **PHONE) as opened:
        await inpainting(opened, start)
        touch = await opened.page.context.new_cdp_session(opened.page)

        async def fingers(kind: str, *points: tuple[float, float]) -> None:
            await touch.send(
                "Input.dispatchTouchEvent",
                {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
            )

        fitted = await opened.mask.bounding_box()
        assert fitted
        assert fitted["width"] > 340
        x, y = fitted["x"] + fitted["width"] / 2, fitted["y"] + fitted["height"] / 2
        await fingers("touchStart", (x - 20, y))
        await fingers("touchStart", (x - 20, y), (x + 20, y))
        await fingers("touchMove", (x - 60, y), (x + 60, y))
        await fingers("touchEnd")
        zoomed = await opened.mask.bounding_box()
        assert zoomed
        assert zoomed["width"] == pytest.approx(3 * fitted["width"], rel=0.02)
        assert await opened.painted() == 0  # what the first finger began is gone
        await fingers("touchStart", (x, y))
        await fingers("touchMove", (x + 40, y))
        await fingers("touchEnd")
        assert await opened.painted() > 0
        targets = opened.page.get_by_role("dialog", name="Mask").locator("button, .mask-file")
        for target in await targets.all():
            box = await target.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44


async def test_a_mask_of_a_file_is_read_as_the_server_reads_it(
    browser: Browser, server: Server
) -> None:
    image = photo(seed=45)
    cases = {name: (make(), image, expected) for name, (make, expected) in CASES.items()}
    for colours in ((255, 0, 0), (0, 160, 0)), ((255,) * 3, (0,) * 3):
        picture = square(*colours)
        cases[f"hole in a copy, {colours}"] = hole(picture), picture, "square"
    async with studio(browser, server) as opened:
        await opened.open()
        files = [
            [base64.b64encode(encoded(each)).decode() for each in (mask, picture)]
            for mask, picture, _ in cases.values()
        ]
        masks = [
            read and Image.frombytes("L", (SIDE, SIDE), read.encode("latin1"))
            for read in await opened.page.evaluate(READ, files)
        ]
        found = dict(zip(cases, map(where, masks), strict=True))
        assert found == {name: expected for name, (_, _, expected) in cases.items()}


async def test_a_mask_is_loaded_and_one_without_white_parts_says_so(
    browser: Browser, server: Server, start: Path, tmp_path: Path
) -> None:
    black, transparent = tmp_path / "black.png", tmp_path / "hole.png"
    Image.new("L", PICTURE).save(black)
    hole(square(0, 0, "L")).save(transparent)
    async with studio(browser, server) as opened:
        await inpainting(opened, start)
        load = opened.page.get_by_label("Load a mask")
        await load.set_input_files(black)
        await expect(opened.page.get_by_text("black.png has no white parts.")).to_be_visible()
        assert await opened.painted() == 0
        await load.set_input_files(transparent)
        await opened.hears("The mask is loaded")
        assert await opened.painted() == pytest.approx(1 / 9, abs=0.01)
        await expect(opened.page.get_by_text("black.png has no white parts.")).to_be_hidden()
