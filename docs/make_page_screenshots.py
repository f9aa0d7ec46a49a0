"""Make the pictures of the page in docs/images: `python docs/make_page_screenshots.py EMPTY FULL`.

EMPTY and FULL are addresses of two running servers with the bundled engine: one without jobs, one
with some hundred. Needs Chromium and the packages of the tests.
"""

import asyncio
import io
import sys
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.page import chromium  # the repository's root is not installed

IMAGES = Path(__file__).with_name("images")
SIZES = {
    "laptop": ViewportSize(width=1280, height=720),
    "desktop": ViewportSize(width=1440, height=900),
    "large": ViewportSize(width=1920, height=1080),
    "phone": ViewportSize(width=390, height=844),
}
PROMPT = "a lighthouse on a cliff by the sea at dusk"
LONG = f"{PROMPT}, with gulls over the waves, " * 30


async def shoot(page: Page, name: str) -> None:
    """Save what the window shows."""
    picture = Image.open(io.BytesIO(await page.screenshot()))
    picture.convert("RGB").save(IMAGES / f"page-{name}.webp", quality=80, method=6)


async def opened(browser: Browser, url: str, size: str, scheme: Literal["light", "dark"]) -> Page:
    """Open the page in a new window of a size, by day (`light`) or night (`dark`)."""
    page = await browser.new_page(viewport=SIZES[size], color_scheme=scheme)
    await page.goto(url)
    await page.locator('[data-state="live"]').wait_for()
    await page.wait_for_timeout(1500)
    return page


async def make(page: Page, prompt: str, pictures: str = "1") -> None:
    """Send the form."""
    await page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    await page.get_by_role("radio", name=pictures, exact=True).check(force=True)
    await page.get_by_role("button", name="Make picture").click()


async def done(page: Page) -> None:
    """Wait for the pictures."""
    await page.locator("#announcer", has_text="Done").wait_for(state="attached", timeout=180_000)
    await page.wait_for_timeout(1000)


async def empty(browser: Browser, url: str) -> None:
    """From no picture to four."""
    page = await opened(browser, url, "desktop", "light")
    await shoot(page, "empty")
    await shoot(await opened(browser, url, "phone", "dark"), "empty-phone-dark")
    await page.locator(".example").first.click()
    await done(page)
    await page.set_viewport_size(SIZES["laptop"])
    await page.wait_for_timeout(1000)
    await shoot(page, "first-result")
    page = await opened(browser, url, "desktop", "dark")
    await make(page, PROMPT, "4")
    await page.locator("button.film").nth(1).wait_for(timeout=180_000)
    await page.locator(".frame .preview:visible").wait_for()
    await shoot(page, "progress")
    await done(page)
    await page.set_viewport_size(SIZES["large"])
    await page.wait_for_timeout(1000)
    await shoot(page, "four-pictures-dark")
    await make(page, LONG)
    await done(page)
    await page.set_viewport_size(SIZES["desktop"])
    await page.locator(".frame-open").click()
    await page.wait_for_timeout(1000)
    await shoot(page, "viewer")


async def inpaint(browser: Browser, url: str) -> None:
    """Repaint a part of the sky."""
    page = await opened(browser, url, "desktop", "light")
    await page.locator(".frame-open").click()
    await page.get_by_role("dialog", name="Picture").get_by_text("Erase or repaint").click()
    mask = page.get_by_role("application", name="Mask over the picture")
    await mask.hover(position={"x": 250, "y": 200})
    await page.mouse.down()
    await mask.hover(position={"x": 500, "y": 120})
    await page.mouse.up()
    await page.get_by_role("button", name="Done", exact=True).click()
    await page.get_by_role("button", name="Make picture").click()
    await page.locator(".busy .frame-mask:visible").wait_for()
    await shoot(page, "inpainting")


async def full(browser: Browser, url: str) -> None:
    """Two hundred jobs."""
    page = await opened(browser, url, "desktop", "dark")
    await page.mouse.move(900, 500)
    await page.mouse.wheel(0, 900)
    await page.wait_for_timeout(1500)
    await shoot(page, "gallery-dark")
    page = await opened(browser, url, "phone", "light")
    await page.locator("#gallery").scroll_into_view_if_needed()
    await page.evaluate("document.getElementById('gallery').scrollIntoView()")
    await page.wait_for_timeout(1500)
    await shoot(page, "phone")


async def main(empty_url: str, full_url: str) -> None:
    """Make all pictures."""
    async with chromium() as browser:
        await empty(browser, empty_url)
        await inpaint(browser, empty_url)
        await full(browser, full_url)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
