"""What becomes of jobs: cancelled, tried again, deleted, and found again after any break."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.support.fake_fork import FAKE
from tests.support.page import AWAY, DELETED, PLAIN, Studio, studio
from tests.support.ports import free_port
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def begin(opened: Studio, prompt: str, *, pictures: int) -> None:
    """Ask for small pictures."""
    await opened.small()
    await opened.enter(Prompt=prompt, Iterations=pictures, Steps=50)
    await opened.make()


async def test_jobs_are_cancelled_tried_again_and_deleted(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server, DELETED) as opened:
        await opened.open()
        await begin(opened, "a long job", pictures=100)
        running = opened.under_way.filter(has_text="a long job")
        await expect(running).to_contain_text(re.compile("Picture [0-9]+ of 100"))
        await begin(opened, "a short job", pictures=1)
        waiting = opened.under_way.filter(has_text="a short job")
        await expect(waiting).to_contain_text("Next in queue")
        await begin(opened, "another one", pictures=1)
        await expect(opened.under_way.filter(has_text="another")).to_contain_text("2nd in queue")
        await waiting.get_by_role("button", name="Cancel").click()
        short = opened.gallery.filter(has_text="a short job")
        await expect(short).to_contain_text("Cancelled")
        line = await short.bounding_box()
        assert line
        assert line["height"] < 80  # not a blank as tall as a picture
        await expect(opened.under_way.filter(has_text="another")).to_contain_text("Next in queue")
        await running.get_by_role("button", name="Cancel").click()
        await expect(opened.gallery.filter(has_text="a long job").first).to_contain_text(
            "Cancelled"
        )
        await opened.hears("Done: 1 picture, another one")
        await short.get_by_role("button", name="Try again").click()
        await opened.hears("Done: 1 picture, a short job")
        await short.get_by_role("button", name="Delete").click()
        await expect(short).to_have_count(0)
        await opened.page.get_by_role("button", name="Undo").click()
        await expect(short).to_have_count(1)
        await short.get_by_role("button", name="Delete").click()
        await opened.page.reload()
        await expect(opened.gallery.filter(has_text="another one")).to_have_count(1)
        await expect(short).to_have_count(0)


async def test_a_job_that_is_deleted_in_one_window_leaves_the_others(
    browser: Browser, serve: Serve
) -> None:
    async with (
        serve(PLAIN) as server,
        studio(browser, server) as here,
        studio(browser, server) as there,
    ):
        await here.open()
        await there.open()
        for prompt in ("a boat", "a hill"):
            await begin(here, prompt, pictures=1)
        for opened in (here, there):
            await expect(opened.gallery).to_have_count(2)
        await there.pictures(there.gallery.filter(has_text="a boat")).click()
        viewer = there.page.get_by_role("dialog", name="Picture")
        await expect(viewer).to_be_visible()
        boat = here.gallery.filter(has_text="a boat")
        await boat.get_by_role("button", name="Delete").click()
        for opened in (here, there):
            await opened.hears("Deleted: a boat")
            await expect(opened.gallery).to_have_count(1)
            await expect(opened.gallery).to_contain_text("a hill")
        await expect(viewer).to_be_hidden()
        await expect(here.pictures(here.gallery)).to_be_focused()
        await expect(there.page.locator("#jobs")).to_be_focused()


async def test_a_picture_that_is_looked_at_is_followed_by_those_to_come(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await begin(opened, "a boat", pictures=5)
        await opened.pictures(opened.page.locator("#stage")).first.click()
        await opened.page.get_by_role("button", name="Enlarge picture 1 of 5").click()
        viewer = opened.page.get_by_role("dialog", name="Picture")
        await expect(viewer).to_contain_text("1 of 5")
        await opened.hears("Done: 5 pictures")
        await viewer.get_by_role("button", name="Previous").click()
        await expect(viewer).to_contain_text("5 of 5")


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """What a job waits for between its two pictures, with the prompt `waits(gate)`."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


def waits(gate: Path) -> str:
    return f"wait_between gate={gate}"


async def test_a_reload_in_the_middle_of_a_job_loses_nothing(
    browser: Browser, serve: Serve, gate: Path
) -> None:
    async with serve(PLAIN, *FAKE) as server, studio(browser, server) as opened:
        await opened.open()
        await begin(opened, waits(gate), pictures=2)
        await expect(opened.under_way).to_contain_text("Picture 2 of 2")
        await opened.page.reload()
        await expect(opened.under_way).to_contain_text("Picture 2 of 2")
        await expect(opened.page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value(
            waits(gate)
        )
        await asyncio.to_thread(gate.write_text, "x")
        await opened.hears("Done: 2 pictures")


async def test_a_restart_of_the_server_in_the_middle_of_a_job_loses_nothing(
    browser: Browser, serve: Serve, gate: Path
) -> None:
    flags = (PLAIN, *FAKE, "--port", str(free_port()))  # nobody takes it meanwhile
    async with (
        serve(*flags, "--grace", "0") as server,
        studio(browser, server, AWAY) as opened,
    ):
        await opened.open()
        await begin(opened, waits(gate), pictures=2)
        await expect(opened.under_way).to_contain_text("Picture 2 of 2")
        await server.stop()
        await expect(opened.page.get_by_text("Reconnecting…")).to_be_visible()
        await opened.page.get_by_role("button", name="Make picture").click()
        await expect(opened.page.get_by_text("The server does not answer")).to_be_visible()
        async with serve(*flags):
            await opened.connected()
            await expect(opened.page.get_by_text("The server does not answer")).to_be_hidden()
            await asyncio.to_thread(gate.write_text, "x")
            await opened.hears("Done: 2 pictures")


async def test_without_a_stream_the_page_asks_every_second(browser: Browser, serve: Serve) -> None:
    async def refuse(route: Route) -> None:
        await route.abort()

    async with serve(PLAIN) as server, studio(browser, server, AWAY) as opened:
        await opened.page.route("**/events", refuse)
        await opened.page.goto(opened.root)
        await expect(opened.page.get_by_text("Connected (polling)")).to_be_visible()
        await begin(opened, "a boat", pictures=1)
        await expect(opened.gallery.filter(has_text="a boat")).to_have_count(1)


async def test_the_token_is_asked_for_once(browser: Browser, serve: Serve) -> None:
    async with (
        serve(PLAIN, "--token", "correct-horse-battery") as server,
        studio(browser, server, "status of 401") as opened,
    ):
        await opened.page.goto(opened.root)
        question = opened.page.get_by_role("dialog", name="Token")
        await question.get_by_label("Enter the access token").fill("wrong")
        await question.get_by_role("button", name="Unlock").click()
        await expect(question.get_by_role("alert")).not_to_be_empty()
        await question.get_by_label("Enter the access token").fill("correct-horse-battery")
        await question.get_by_role("button", name="Unlock").click()
        await opened.connected()
        await begin(opened, "a boat", pictures=1)
        await expect(opened.pictures(opened.gallery)).to_have_count(1)
        await opened.page.reload()
        await opened.connected()
        await expect(question).to_have_count(0)


async def test_what_another_client_deletes_leaves_the_page(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server, DELETED) as opened:
        await opened.open()
        await opened.connected()
        fields = {"prompt": "a boat", "steps": 2, "width": 256, "height": 256}
        async with server.client() as client, client.post("/text-to-image", json=fields) as answer:
            await expect(opened.pictures(opened.gallery)).to_have_count(1)
            async with client.delete(answer.url.path) as deleted:
                assert deleted.status == 204
        await expect(opened.gallery).to_have_count(0)


async def test_a_job_whose_image_was_deleted_is_drawn_again(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await begin(opened, "a deleted picture", pictures=1)
        await opened.hears("Done: 1 picture, a deleted picture")
        card = opened.gallery.filter(has_text="a deleted picture")
        await expect(card.locator("img.loaded")).to_have_count(1)
        stage = opened.page.locator("#stage .frame-open img")
        await expect(stage).not_to_have_js_property("naturalWidth", 0)
        (image,) = (server.folder / "output/text-to-image").glob("*/1.png")
        image.unlink()
        await opened.page.reload()
        await expect(card).to_contain_text("no longer in the output folder")
        await expect(card.get_by_role("img")).to_have_count(0)
        await card.get_by_role("button", name="Try again").click()
        await opened.hears("Done: 1 picture, a deleted picture")
        await expect(card.locator("img")).not_to_have_js_property("naturalWidth", 0)
