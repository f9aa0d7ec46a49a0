"""Answers to the page's requests that come later than what the event stream says of their jobs."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, Request, Route, expect

from tests.support.fake_fork import FAKE
from tests.support.page import PLAIN, Studio, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def is_post(request: Request) -> bool:
    return request.method == "POST"


def is_list(request: Request) -> bool:
    return "/jobs?" in request.url


HOLD = """() => {
  const { fetch } = window;
  const released = new Promise((resolve) => { window.release = resolve; });
  window.fetch = async (path, options) => {
    const answer = await fetch(path, options);
    if (options?.method === "POST") await released;
    return answer;
  };
}"""
"""A script that holds back the answers to uploads, whose bytes Playwright does not see."""


@dataclass
class Late:
    """Holds back answers, and the job whose picture waits at `gate`."""

    opened: Studio
    gate: Path
    given: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self, route: Route) -> None:
        answer = await route.fetch()  # the job as it is now
        self.given.set()
        await self.released.wait()
        await route.fulfill(response=answer)

    async def comes_after_the_end(self) -> None:
        """Let the job end after its answer was given, and only then let that answer come."""
        await self.given.wait()
        await asyncio.to_thread(self.gate.write_text, "x")
        await expect(self.opened.pictures(self.opened.gallery)).to_have_count(2)
        async with self.opened.page.expect_event("requestfinished", is_post):
            self.released.set()


@pytest_asyncio.fixture(loop_scope="session")
async def late(browser: Browser, serve: Serve, tmp_path: Path) -> AsyncIterator[Late]:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.small()
        await opened.enter(Prompt=f"wait_between gate={gate}", Iterations=2)
        yield Late(opened, gate)


async def test_a_job_that_is_done_before_its_request_is_answered_stays_done(late: Late) -> None:
    opened = late.opened
    button = opened.page.get_by_role("button", name="Make picture")
    await opened.page.route("**/text-to-image", late.hold)
    await button.click()
    await late.comes_after_the_end()
    await expect(button).to_be_enabled()  # it says "Sending …" until then
    await expect(opened.under_way).to_have_count(0)
    await expect(opened.pictures(opened.gallery)).to_have_count(2)
    await opened.hears("Done: 2 pictures")


async def test_a_job_that_is_done_before_its_retry_is_answered_stays_done(late: Late) -> None:
    opened = late.opened
    await opened.make()
    await expect(opened.under_way).to_contain_text("Picture 2 of 2")
    await opened.under_way.get_by_role("button", name="Cancel").click()
    await opened.page.route("**/retry", late.hold)
    await opened.page.locator("#stage").get_by_role("button", name="Try again").click()
    await late.comes_after_the_end()
    await opened.page.evaluate("fetch('/healthz')")  # the page has taken the answer before
    await expect(opened.under_way).to_have_count(0)
    await expect(opened.pictures(opened.gallery)).to_have_count(2)


async def test_a_job_that_is_done_before_the_list_with_it_comes_stays_done(late: Late) -> None:
    """In a tab that hears another tab's events, and has missed the job's first ones."""
    opened = late.opened
    lists: list[Route] = []

    async def hold_second(route: Route) -> None:
        lists.append(route)
        if len(lists) > 1:
            await late.hold(route)
        else:
            await route.fulfill(json={"counts": {}, "jobs": [], "nextCursor": None})

    await opened.enter(Prompt=f"preview gate={late.gate}", Iterations=1)
    await opened.make()
    other = Studio(await opened.page.context.new_page(), opened.server, opened.complaints)
    other.watch()
    await other.page.route("**/jobs?*", hold_second)
    await other.open()
    await late.given.wait()
    await asyncio.to_thread(late.gate.write_text, "x")
    await expect(opened.pictures(opened.gallery)).to_have_count(1)
    async with other.page.expect_event("requestfinished", is_list):
        late.released.set()
    await other.page.evaluate("fetch('/healthz')")  # the page has taken the list before
    await expect(other.pictures(other.gallery)).to_have_count(1)
    await expect(other.under_way).to_have_count(0)


async def test_what_a_job_starts_from_is_shown_though_its_events_came_before_the_answer(
    late: Late, tmp_path: Path
) -> None:
    opened = late.opened
    Image.linear_gradient("L").save(tmp_path / "start.png")
    await opened.tab("Image to image")
    await opened.enter(Iterations=2)
    await opened.choose(tmp_path / "start.png")
    await opened.page.evaluate(HOLD)
    await opened.page.get_by_role("button", name="Make picture").click()
    await expect(opened.under_way).to_contain_text("Picture 2 of 2")
    await opened.page.evaluate("release()")
    source = opened.page.locator(".frame-source")
    await expect(source).to_have_attribute("src", re.compile("^blob:"))
    await asyncio.to_thread(late.gate.write_text, "x")
    await opened.hears("Done: 2 pictures")
