"""The chip of the cluster's machines, and what it opens."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.support.cluster import FRONT, cluster_address, worker
from tests.support.page import PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_header_shows_which_machines_run_jobs(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    async with (
        serve(PLAIN, *FRONT, warns=True) as server,
        studio(browser, server, "503") as opened,  # of /readyz, while there is no worker
    ):
        await opened.open()
        await opened.page.get_by_role("button", name="0 workers").click()
        panel = opened.page.get_by_role("group", name="Workers")
        await expect(panel).to_contain_text("No machine runs jobs now. Start workers that connect")
        async with worker(await cluster_address(server), "cellar", folder=tmp_path):
            entry = panel.get_by_role("listitem")
            await expect(entry).to_contain_text("cellar")
            await expect(entry).to_contain_text("Idle")
            await expect(entry).to_contain_text("CPU")
            await expect(entry).to_contain_text("Models: model")
            await expect(opened.page.get_by_role("button", name="1 worker")).to_be_visible()


async def test_without_a_cluster_there_is_no_chip(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        async with opened.page.expect_response("**/workers"):
            await opened.open()
        await expect(opened.page.get_by_role("button", name="worker")).to_have_count(0)
