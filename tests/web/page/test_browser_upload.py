"""The picture to start from: dropped, pasted, chosen, dragged from the page, in any format."""

import base64
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, expect

from sdrest.pictures.decoding import decode
from tests.support.page import PLAIN, Studio, studio
from tests.support.paths import DATA
from tests.support.pictures import encoded
from tests.support.server import Server, starter

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CASES = DATA / "cases"
SIDE = 256
TURNED = Image.Exif()
TURNED[0x0112] = 6  # orientation: a quarter turn
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
MAX_PIXELS = 1_500_000

DRAG = """async (target, [types, value]) => {
  const transfer = new DataTransfer();
  for (const type of types) transfer.setData(type, value);
  const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
  const taken = !target.dispatchEvent(new DragEvent("dragover", options));
  target.dispatchEvent(new DragEvent("drop", options));
  return taken;
}"""
OPENED = """async ([data, name]) => {
  const { openPicture } = await import("/static/picture.js");
  const file = new File([Uint8Array.from(atob(data), (each) => each.charCodeAt(0))], name);
  const { blob, width, height } = await openPicture(file);
  const reader = new FileReader();
  reader.readAsDataURL(blob);
  await new Promise((resolve) => { reader.onload = resolve; });
  return [reader.result.split(",")[1], width, height];
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> AsyncIterator[Server]:
    """A server whose engine draws, and which takes small pictures only; the tests share it."""
    serve = starter(tmp_path_factory.mktemp("server"), certificate)
    async with serve(PLAIN, f"--max-pixels={MAX_PIXELS}", "--max-upload=4") as started:
        yield started


def drawn(width: int = SIDE, height: int = SIDE) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


async def is_refused(opened: Studio, text: str) -> None:
    """Wait until a refusal is where the person looks."""
    await expect(opened.page.get_by_role("alert").get_by_text(text)).to_be_in_viewport()


async def is_taken(opened: Studio, width: int, height: int) -> None:
    await opened.hears(f"Picture taken, {width} by {height} pixels")
    await expect(opened.start).to_be_visible()


async def test_a_picture_is_dropped_or_pasted_and_finds_its_form(
    browser: Browser, server: Server
) -> None:
    picture = encoded(drawn())
    async with studio(browser, server) as opened:
        selected = opened.page.get_by_role("tab", selected=True)
        await opened.open()
        await opened.page.get_by_role("textbox", name="Prompt", exact=True).focus()
        await opened.paste("text.png", picture, text="a boat")  # as word processors do
        await expect(selected).to_have_text("Text to image")
        await opened.drop("start.png", picture)
        await expect(selected).to_have_text("Image to image")
        await expect(opened.start).to_be_visible()
        await opened.page.get_by_role("button", name="Remove").click()
        await expect(opened.start).to_be_hidden()
        await opened.paste("pasted.png", picture)
        await expect(opened.start).to_be_visible()
        await opened.tab("Inpaint")
        await opened.drop("other.png", picture)
        await expect(selected).to_have_text("Inpaint")
        await expect(opened.mask).to_be_visible()


async def test_what_is_no_picture_is_refused_where_the_person_looks(
    browser: Browser, server: Server
) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
    files = {
        "damaged.png": (b"this is no picture", "image/png", "cannot be read as a picture"),
        "notes.txt": (b"this is no picture", "text/plain", "cannot be read as a picture"),
        "photo.heic": (heic, "image/heic", "is HEIC, which this browser cannot read"),
    }
    async with studio(browser, server) as opened:
        await opened.open()
        for name, (content, media_type, sentence) in files.items():
            await opened.tab("Text to image")
            await opened.drop(name, content, media_type)
            await is_refused(opened, f"{name} {sentence}")
        await opened.drop("start.png", encoded(drawn()))
        await is_taken(opened, SIDE, SIDE)
        await expect(opened.page.get_by_text("cannot be read")).to_be_hidden()


async def test_what_the_server_cannot_read_becomes_a_png(browser: Browser, server: Server) -> None:
    files = {"icon.ico": "image/x-icon", "drawing.svg": "image/svg+xml", "small.avif": ""}
    async with studio(browser, server) as opened:
        await opened.open()
        for name, media_type in files.items():
            content = (CASES / name).read_bytes()
            given = [base64.b64encode(content).decode(), name]
            sent, *_ = await opened.page.evaluate(OPENED, given)
            assert base64.b64decode(sent).startswith(b"\x89PNG"), name
            await opened.drop(name, content, media_type)
            await opened.hears("Picture taken")
        await opened.enter(Prompt="a lake", Steps=8)
        await opened.make()
        await opened.hears("Done: 1 picture")


async def test_the_server_sees_a_picture_as_the_page_shows_it(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    wide = drawn(96, 64)
    wide.paste("red", (0, 0, 48, 32))
    files = {
        "plain.jpg": (encoded(wide, "JPEG"), True),
        "exif.jpg": (encoded(wide, "JPEG", exif=TURNED), True),
        "exif.png": (encoded(wide, exif=TURNED), True),
        "exif.webp": (encoded(wide, "WEBP", exif=TURNED), False),  # browsers ignore it
        "xmp.jpg": (encoded(wide, "JPEG", xmp=XMP), False),
        "profile.png": ((CASES / "p3.png").read_bytes(), True),
    }
    async with studio(browser, server) as opened:
        await opened.open()
        for name, (content, is_same) in files.items():
            given = base64.b64encode(content).decode()
            sent, *size = await opened.page.evaluate(OPENED, [given, name])
            assert (sent == given) is is_same, name
            (tmp_path / name).write_bytes(base64.b64decode(sent))
            assert decode(tmp_path / name, max_pixels=MAX_PIXELS).size == tuple(size), name


async def test_a_large_picture_is_made_smaller_and_the_servers_limits_are_named(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    large, huge, noisy = (tmp_path / f"{name}.png" for name in ("large", "huge", "noisy"))
    Image.new("RGB", (1400, 700), "navy").save(large)
    Image.new("RGB", (2048, 1024), "navy").save(huge)
    noise = Image.frombytes("RGB", (1220, 1220), random.Random(0).randbytes(3 * 1220**2))
    async with studio(browser, server) as opened:
        await opened.open()
        await opened.tab("Image to image")
        await opened.choose(large)
        await is_taken(opened, 1024, 512)
        sentence = re.compile("1024 . 512, made smaller from 1400 . 700 to save memory")
        await expect(opened.page.get_by_text(sentence)).to_be_visible()
        full = opened.page.get_by_role("button", name="Use its full size")
        await full.click()
        await is_taken(opened, 1400, 700)
        await opened.choose(huge)
        await is_taken(opened, 1024, 512)
        await expect(opened.page.get_by_text("at most 1.5 million pixels")).to_be_in_viewport()
        await expect(full).to_be_hidden()
        noisy.write_bytes(encoded(noise))
        await opened.choose(noisy)
        await full.click()
        await is_refused(opened, "this server takes at most 4")


async def test_pictures_of_the_page_are_dragged_into_the_form_and_texts_are_not(
    browser: Browser, server: Server
) -> None:
    async with studio(browser, server) as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt="a boat")
        await opened.make()
        await opened.hears("Done: 1 picture")
        body = opened.page.locator("body")
        assert not await body.evaluate(DRAG, [["text/plain"], "a boat"])
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Text to image")
        tile = opened.gallery.first
        await tile.drag_to(opened.page.get_by_role("region", name="New picture"))
        await is_taken(opened, SIDE, SIDE)
        await expect(opened.page.get_by_role("tab", selected=True)).to_have_text("Image to image")
