"""Answers to the page's requests that come later than what the event stream says of their jobs."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, Route, expect

from tests.support.fake_fork import FAKE
from tests.support.page import PLAIN, Studio, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def is_post(request: Request) -> bool:
    return request.method == "POST"


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
    await opened.under_way.get_by_role("button", name="Cancel").click()
    await opened.page.route("**/retry", late.hold)
    await opened.gallery.get_by_role("button", name="Try again").click()
    await late.comes_after_the_end()
    await opened.page.evaluate("fetch('/healthz')")  # the page has taken the answer before
    await expect(opened.under_way).to_have_count(0)
    await expect(opened.pictures(opened.gallery)).to_have_count(2)
