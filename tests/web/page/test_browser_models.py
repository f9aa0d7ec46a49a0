"""The choice of a model in the forms."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.checkpoints import model, safetensors_file
from tests.support.fake_fork import FAKE
from tests.support.page import PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_model_is_chosen_where_there_is_more_than_one(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN, *FAKE) as server:
        async with studio(browser, server) as opened:
            await opened.open()
            choice = opened.page.get_by_role("combobox", name="Model")
            await expect(choice).to_have_count(0)
            (server.folder / "models").mkdir()
            safetensors_file(server.folder / "models/oil.safetensors", model())
            await opened.open()
            await expect(choice.get_by_role("option")).to_have_text(["model (default)", "oil"])
            await choice.select_option("oil")
            await opened.enter(Prompt="paint")
            await opened.small()
            await opened.make()
            await expect(opened.gallery).to_have_count(1)
            await opened.tab("Inpaint image")
            await expect(choice).to_have_count(0)
            await opened.page.reload()
            await opened.connected()
            await opened.tab("Text to image")
            await expect(choice).to_have_value("oil.safetensors")
        async with server.client() as client, client.get("jobs") as answer:
            (job,) = (await answer.json())["jobs"]
        assert job["model"] == "oil.safetensors"


async def test_a_model_that_is_gone_gives_way_to_the_default(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN, *FAKE) as server:
        (server.folder / "models").mkdir()
        oil, ink, pen = (
            server.folder / f"models/{name}.safetensors" for name in ("oil", "ink", "pen")
        )
        safetensors_file(oil, model())
        async with studio(browser, server) as opened:
            opened.provoked = ("422",)
            await opened.open()
            choice = opened.page.get_by_role("combobox", name="Model")
            await choice.select_option("oil")
            oil.rename(ink)
            await opened.enter(Prompt="paint")
            await opened.make()
            await expect(
                opened.page.get_by_text("There is no model 'oil.safetensors'")
            ).to_be_visible()
            await expect(choice.get_by_role("option")).to_have_text(["model (default)", "ink"])
            await expect(choice).to_have_value("")
            await choice.select_option("ink")
            ink.rename(pen)
            await opened.page.reload()
            await opened.connected()
            await expect(choice.get_by_role("option")).to_have_text(["model (default)", "pen"])
            await expect(choice).to_have_value("")
