"""The page as a person has it: a tab of a real browser, what is on it and what it must not do."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    async_playwright,
    expect,
)
from playwright.async_api import Request as BrowserRequest
from yarl import URL

from tests.support.server import Server

SECONDS = 40.0
"""No step in the browser takes longer."""

PLAIN = "--plain-http"
"""How the servers serve here: browsers do without their TLS connections' farewell at the end."""

PHONE: Any = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
"""The options of `studio` for a phone."""

AWAY = "net::ERR_"
"""What the console says of a server that does not answer."""

DELETED = "status of 410"
"""What the console says of a picture that is deleted while it loads."""

_MISSING = (
    "The browser tests need Chromium. Debian, Ubuntu: apt install chromium; "
    "macOS and others: .venv/bin/playwright install chromium"
)
_PAINTED = """(mask) => {
  const copy = new OffscreenCanvas(mask.width, mask.height).getContext("2d");
  copy.drawImage(mask, 0, 0);
  const { data } = copy.getImageData(0, 0, mask.width, mask.height);
  return data.filter((value, place) => place % 4 === 3 && value > 0).length / (data.length / 4);
}"""
_GIVE = """(body, [kind, carrier, name, bytes, text, type]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
  if (text) transfer.setData("text/plain", text);
  const event = kind === "drop"
    ? new DragEvent(kind, { [carrier]: transfer, bubbles: true, cancelable: true })
    : new ClipboardEvent(kind, { [carrier]: transfer, bubbles: true, cancelable: true });
  (text ? document.activeElement : body).dispatchEvent(event);
}"""
_LISTENS = """document.addEventListener("readystatechange", () => {
  const announcer = document.getElementById("announcer");
  if (window.heard || !announcer) return;
  window.heard = [];
  new MutationObserver((changes) => {
    heard.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map(({ data }) => data)));
    dispatchEvent(new Event("heard"));
  }).observe(announcer, { childList: true });
});"""
"""Writes down what is announced, before any script of the page runs."""
_HEARS = """(text) => new Promise((resolve) => {
  const look = () => {
    const place = heard.findIndex((sentence) => sentence.includes(text));
    if (place < 0) return;
    heard.splice(0, place + 1);
    removeEventListener("heard", look);
    resolve();
  };
  addEventListener("heard", look);
  look();
})"""
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the system's Chromium, or the one that Playwright has installed."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=program, args=flags)
        except Error as error:
            pytest.fail(f"{_MISSING}\n{error}" if program else _MISSING)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Studio:
    """A tab with the page of `server`. `complaints` is what went wrong in it unseen.

    `provoked` are texts of complaints that the test itself gives reason for.
    """

    page: Page
    server: Server
    complaints: list[str] = field(default_factory=list)
    provoked: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        return self.server.url.replace("0.0.0.0", "127.0.0.1")

    async def open(self) -> None:
        """Go to the page and wait until it is connected."""
        await self.page.goto(self.root)
        await self.connected()

    async def connected(self) -> None:
        await self.page.locator('[data-state="live"]').wait_for()

    async def tab(self, name: str) -> None:
        await self.page.get_by_role("tab", name=name).click()

    async def enter(self, **fields: str | int) -> None:
        """Fill in fields by their labels, e.g. `Prompt="a boat", Steps=8`.

        `Iterations` is the field Pictures. Opens "Advanced" where a field is in it.
        """
        for name, value in fields.items():
            role: Any = "textbox" if name == "Prompt" else "spinbutton"
            label = "Pictures" if name == "Iterations" else name
            field = self.page.get_by_role(role, name=label, exact=True)
            if await field.count() == 0:
                await self.page.get_by_text("Advanced", exact=True).locator("visible=true").click()
            await field.fill(str(value))

    async def small(self) -> None:
        """Ask for the smallest pictures."""
        await self.enter(Width=256, Height=256)

    async def make(self) -> None:
        """Press the button; returns when the server has answered."""
        await self.page.get_by_role("button", name="Make picture").click()
        await self.page.get_by_role("button", name="Make picture").wait_for()

    @property
    def under_way(self) -> Locator:
        """The jobs on the stage that wait or run."""
        return self.page.locator(
            "#stage article:is([data-status=QUEUED], [data-status=IN_PROGRESS])"
        )

    @property
    def gallery(self) -> Locator:
        return self.page.get_by_role("region", name="Gallery").get_by_role("article")

    @property
    def viewer(self) -> Locator:
        """The dialog with one picture, large."""
        return self.page.get_by_role("dialog", name="Picture")

    @property
    def start(self) -> Locator:
        """The picture that was given."""
        return self.page.get_by_alt_text("The picture to start from")

    @property
    def mask(self) -> Locator:
        return self.page.get_by_role("application", name="Mask over the picture")

    async def choose(self, path: Path) -> None:
        """Choose a file as the picture to start from."""
        panel = self.page.get_by_role("tabpanel")
        await panel.get_by_label("Choose a picture").set_input_files(path)
        await expect(self.start).to_be_visible()

    async def edit_mask(self) -> None:
        """Open the mask's editor, unless it is open."""
        if not await self.mask.is_visible():
            await self.page.get_by_role(
                "button", name=re.compile("(Paint|Change) the mask")
            ).click()
        await self.mask.wait_for()

    async def close_mask(self) -> None:
        await self.page.get_by_role("button", name="Done", exact=True).click()
        await self.mask.wait_for(state="hidden")

    async def stroke(self, *points: tuple[float, float], keep_open: bool = False) -> None:
        """Draw through points of the mask, given as fractions of the picture's sides."""
        await self.edit_mask()
        box = await self.mask.bounding_box()
        assert box
        where = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        await self.page.mouse.move(*where[0])
        await self.page.mouse.down()
        for point in where[1:]:
            await self.page.mouse.move(*point, steps=5)
        await self.page.mouse.up()
        if not keep_open:
            await self.close_mask()

    async def painted(self) -> float:
        """Return which part of the mask is painted, from 0 to 1; its editor is open."""
        return float(await self.mask.evaluate(_PAINTED))

    async def drop(self, name: str, content: bytes, media_type: str = "image/png") -> None:
        """Drop a file on the page."""
        await self._give("drop", "dataTransfer", name, list(content), "", media_type)

    async def paste(self, name: str, content: bytes, text: str = "") -> None:
        """Paste a file; or a text, into what has the focus, with a file as its picture."""
        await self._give("paste", "clipboardData", name, list(content), text, "image/png")

    async def _give(self, *given: str | list[int]) -> None:
        await self.page.locator("body").evaluate(_GIVE, given)

    def pictures(self, card: Locator) -> Locator:
        """The buttons that open a card's pictures."""
        return card.get_by_role("button", name=re.compile("^Picture [0-9]"))

    async def hears(self, text: str) -> None:
        """Wait until a screen reader has announced it, after what was waited for before."""
        try:
            async with asyncio.timeout(SECONDS):
                await self.page.evaluate(_HEARS, text)
        except TimeoutError:
            pytest.fail(f"{text!r} is not in {await self.page.evaluate('heard')}")

    def watch(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        provoked = any(text in message.text for text in self.provoked)
        where = message.location.get("url", "")
        if "status of 404" in message.text and "/preview?" in where:
            return  # the picture was done before its preview was asked for
        if message.type in {"error", "warning"} and not provoked:
            self.complaints.append(f"{message.type}: {message.text} {where}")

    def _request(self, request: BrowserRequest) -> None:
        url = URL(request.url)
        if url.scheme not in {"blob", "data"} and url.origin() != URL(self.root).origin():
            self.complaints.append(f"foreign request: {url}")


@asynccontextmanager
async def studio(
    browser: Browser, server: Server, *provoked: str, **options: Any
) -> AsyncIterator[Studio]:
    """Give a new tab for the page; afterwards there must have been nothing to complain about.

    It may show notifications, which else are offered in the middle of a job that is slow.
    """
    permissions = ["notifications", *options.pop("permissions", ())]
    context = await browser.new_context(permissions=permissions, **options)
    context.set_default_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)
    await context.add_init_script(_LISTENS)
    opened = Studio(await context.new_page(), server, provoked=provoked)
    opened.watch()
    try:
        async with asyncio.timeout(2 * SECONDS):
            yield opened
    except BaseException as error:
        error.add_note("\n".join(["the browser's complaints:", *opened.complaints]))
        raise
    finally:
        await context.close()
    assert opened.complaints == [], opened.complaints
