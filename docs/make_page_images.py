"""Take the pictures of the page in docs/images.

    python docs/make_page_images.py [STATE ...]

Each state of the page (`STATES`) is shown at four sizes, by day above and at night below, in
docs/images/page/STATE.webp. page.png, page-progress.webp, page-viewer.webp and page-phone.webp are
single pictures of them. Needs the extra `dev` and Chromium.
"""

from __future__ import annotations

import asyncio
import io
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from benchmarks.filled import fill  # noqa: E402 - needs the path
from tests.support.page import PLAIN, Studio, chromium, studio  # noqa: E402
from tests.support.server import Server, running  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from playwright.async_api import Browser

SIZES = ((1440, 900), (1280, 720), (1920, 1080), (390, 844))
SCHEMES = ("light", "dark")
SHEET_HEIGHT = 450
GAP = 12
QUALITY = 80
README_SIZE = (1440, 1170)
LIGHTHOUSE = {
    "prompt": "a lighthouse on a cliff by the sea at dusk",
    "width": 768,
    "height": 512,
    "seed": 42,
    "steps": 20,
}
OTHERS = (
    {"prompt": "a yellow moon over snowy mountains and a forest", "iterations": 4, "seed": 11},
    {"prompt": "a red house and a white boat on a lake", "height": 704, "iterations": 2, "seed": 3},
    {"prompt": "green trees under a starry sky", "width": 896, "iterations": 2, "seed": 5},
    {"prompt": "a sailing boat on the sea, clouds", "iterations": 3, "seed": 8},
)
LONG_PROMPT = ("a lighthouse on a cliff, sunset, clouds, birds, a boat, high detail, " * 40)[:2000]

_MAKE = """async (fields) => {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  const answer = await fetch("/text-to-image", { method: "POST", body });
  let job = await answer.json();
  while (fields.iterations !== 100 && /QUEUED|IN_PROGRESS/.test(job.status)) {
    job = await (await fetch(`${job.resultUrl}?wait=20`)).json();
  }
  return job.resultUrl;
}"""


async def _make(opened: Studio, **fields: object) -> str:
    """Make pictures by the API; returns the job's address, at once for 100 pictures."""
    return str(await opened.page.evaluate(_MAKE, {**LIGHTHOUSE, **fields}))


async def _nothing(opened: Studio) -> None:
    await opened.connected()


async def _running(opened: Studio) -> None:
    await opened.page.locator("#stage img[src*=preview]").first.wait_for()
    await opened.page.wait_for_timeout(1500)


async def _mask(opened: Studio) -> None:
    await opened.page.locator("#stage").get_by_role("button", name="Erase or repaint").click()
    await opened.mask.wait_for()
    await opened.page.wait_for_timeout(500)
    await opened.stroke((0.3, 0.2), (0.6, 0.3))


async def _error(opened: Studio) -> None:
    await opened.enter(Prompt="a lighthouse", Steps=9, Width=100)
    await opened.page.get_by_role("button", name="Make picture").click()
    await opened.page.get_by_text("Please fix the marked").wait_for()


async def _viewer(opened: Studio) -> None:
    await opened.page.locator("#stage .frame, #stage img").first.click()
    await opened.page.get_by_role("dialog").wait_for()


STATES: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "empty": _nothing,
    "first": _nothing,
    "four": _nothing,
    "running": _running,
    "inpainting": _mask,
    "error": _error,
    "viewer": _viewer,
    "many": _nothing,
}
"""What is done on the page, once the server has the state's jobs, before its picture is taken."""


SHOWN = {"first", "four", "running"}
"""The states whose pictures are shown on the phone; after a submit the page scrolls there, too."""


async def _prepare(state: str, opened: Studio) -> str | None:
    """Make the jobs of a state; returns the address of one that runs."""
    if state in {"first", "inpainting", "error"}:
        await _make(opened)
    elif state == "four":
        for fields in OTHERS:
            await _make(opened, **{"width": 512, "height": 512} | fields)
        await _make(opened, iterations=4)
    elif state == "running":
        return await _make(opened, iterations=100, steps=100)
    elif state == "viewer":
        await _make(opened, prompt=LONG_PROMPT)
    return None


async def _shot(
    browser: Browser, server: Server, state: str, size: tuple[int, int], scheme: str
) -> Image.Image:
    phone = size[0] < 600  # noqa: PLR2004 (pixels)
    options = {"has_touch": phone, "is_mobile": phone, "color_scheme": scheme}
    viewport = {"width": size[0], "height": size[1]}
    async with studio(browser, server, "status of 422", viewport=viewport, **options) as opened:
        await opened.open()
        await STATES[state](opened)
        place = "#gallery" if state == "many" else "#stage" if phone and state in SHOWN else None
        if place:
            await opened.page.locator(place).evaluate("e => e.scrollIntoView({ block: 'start' })")
        await opened.page.wait_for_timeout(700)
        return Image.open(io.BytesIO(await opened.page.screenshot()))


def _sheet(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return one picture with a row for each scheme."""
    scaled = [
        [shot.resize((shot.width * SHEET_HEIGHT // shot.height, SHEET_HEIGHT)) for shot in row]
        for row in rows
    ]
    width = sum(shot.width for shot in scaled[0]) + GAP * (len(scaled[0]) - 1)
    sheet = Image.new("RGB", (width, (SHEET_HEIGHT + GAP) * len(scaled) - GAP), "#808080")
    for number, row in enumerate(scaled):
        left = 0
        for shot in row:
            sheet.paste(shot, (left, number * (SHEET_HEIGHT + GAP)))
            left += shot.width + GAP
    return sheet


async def _take(browser: Browser, server: Server, state: str) -> None:
    async with studio(browser, server) as opened:
        await opened.open()
        address = await _prepare(state, opened)
    rows = [[await _shot(browser, server, state, size, s) for size in SIZES] for s in SCHEMES]
    _sheet(rows).save(IMAGES / "page" / f"{state}.webp", quality=QUALITY)
    single = {"running": "progress", "viewer": "viewer"}.get(state)
    if single:
        rows[0][0].save(IMAGES / f"page-{single}.webp", quality=QUALITY)
    if state == "four":
        rows[0][-1].save(IMAGES / "page-phone.webp", quality=QUALITY)
        await _readme(browser, server)
    if address:
        async with server.client() as client, client.delete(address) as answer:
            answer.raise_for_status()
    print(state)


async def _readme(browser: Browser, server: Server) -> None:
    """Take the README's picture: the form with the newest job's settings, stage, gallery."""
    width, height = README_SIZE
    async with studio(browser, server, viewport={"width": width, "height": 820}) as opened:
        fields = "&".join(f"{name}={value}" for name, value in LIGHTHOUSE.items())
        await opened.page.goto(f"{opened.root}#iterations=4&{fields.replace(' ', '+')}")
        await opened.connected()
        await opened.page.wait_for_timeout(1500)
        clip = {"x": 0, "y": 0, "width": width, "height": height}
        shot = await opened.page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    Image.open(io.BytesIO(shot)).convert("RGB").save(IMAGES / "page.png", optimize=True)


@asynccontextmanager
async def _server(count: int) -> AsyncIterator[Server]:
    """Run a server whose table has `count` jobs already."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        if count:
            fill(path / "output", count)
        async with running(path, path / "cert.pem", PLAIN, warns=True) as server:
            yield server


async def main(names: Sequence[str]) -> None:
    """Take the pictures of the named states."""
    (IMAGES / "page").mkdir(exist_ok=True)
    async with chromium() as browser:
        for count in (0, 200):
            async with _server(count) as server:
                for state in STATES:
                    if state in names and (state == "many") == bool(count):
                        await _take(browser, server, state)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or list(STATES)))
