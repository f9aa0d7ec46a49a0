"""The page of a server with a token: locked, unlocked, signed out."""

import asyncio

import pytest
from playwright.async_api import Browser, Route, expect

from tests.support.page import PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "correct-horse-battery"


async def test_a_locked_page_says_so_until_it_is_unlocked_and_after_the_sign_out(
    browser: Browser, serve: Serve
) -> None:
    async with (
        serve(PLAIN, "--token", TOKEN) as server,
        studio(browser, server, "status of 401") as opened,
    ):
        connection = opened.page.locator("#connection")
        question = opened.page.get_by_role("dialog", name="Token")
        await opened.page.goto(opened.root)
        await expect(question).to_be_visible()
        await opened.page.keyboard.press("Escape")
        await expect(connection).to_have_text("Locked")
        await opened.page.get_by_role("button", name="Unlock").click()
        await question.get_by_label("Enter the access token").fill(TOKEN)
        await question.get_by_role("button", name="Unlock").click()
        await opened.connected()
        await expect(connection).to_have_text("Connected")
        await opened.page.get_by_role("button", name="Sign out").click()
        await expect(question).to_be_visible()
        assert await opened.page.context.cookies() == []
        await opened.page.keyboard.press("Escape")
        await expect(connection).to_have_text("Locked")
        await expect(opened.page.get_by_role("button", name="Sign out")).to_have_count(0)
        await opened.enter(Prompt="a boat")
        await opened.page.get_by_role("button", name="Make picture").click()
        await question.get_by_label("Enter the access token").fill(TOKEN)
        await opened.page.keyboard.press("Enter")
        await opened.hears("Done: 1 picture")
        await expect(connection).to_have_text("Connected")


@pytest.mark.parametrize("unlocks", [True, False])
async def test_a_request_that_was_under_way_does_not_ask_for_the_token_again(
    browser: Browser, serve: Serve, *, unlocks: bool
) -> None:
    async with (
        serve(PLAIN, "--token", TOKEN) as server,
        studio(browser, server, "status of 401") as opened,
    ):
        answered = asyncio.Event()

        async def answer_late(route: Route) -> None:
            answer = await route.fetch()
            await answered.wait()
            await route.fulfill(response=answer)

        await opened.page.route("**/jobs?*", answer_late)
        question = opened.page.get_by_role("dialog", name="Token")
        await opened.page.goto(opened.root)
        await expect(question).to_be_visible()  # another request has been refused
        if unlocks:
            await question.get_by_label("Enter the access token").fill(TOKEN)
            await opened.page.keyboard.press("Enter")
        else:
            await opened.page.keyboard.press("Escape")
        await expect(question).to_have_count(0)
        answered.set()
        state = "Connected" if unlocks else "Locked"
        await expect(opened.page.locator("#connection")).to_have_text(state)
        await expect(question).to_have_count(0)
