"""The API's description in Swagger UI: it asks this server alone, and its forms make pictures."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from tests.support.page import PLAIN, Studio, studio
from tests.support.server import Serve, environment, running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "correct-horse-battery"


async def execute(opened: Studio) -> Locator:
    """Submit a small text-to-image request with the form; return its answer."""
    operation = opened.page.locator("#operations-text-to-image-postTextToImage")
    await operation.locator(".opblock-summary-control").click()
    fields = operation.locator("tr.parameters, .parameters-col_description")
    await expect(fields.first).to_be_visible()
    await operation.get_by_role("button", name="Execute").click()
    return operation.locator(".live-responses-table")


async def test_swagger_ui_shows_every_route_without_external_requests(
    browser: Browser, serve: Serve
) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        await opened.page.get_by_role("link", name="API").click()
        document = await (await opened.page.request.get(f"{opened.root}openapi.json")).json()
        shown = opened.page.locator(".opblock-summary-path")
        await expect(shown).to_have_count(sum(map(len, document["paths"].values())))
        paths = {path.replace("\u200b", "") for path in await shown.all_text_contents()}
        assert paths == set(document["paths"])
        width = await opened.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 1280


async def test_swagger_ui_try_it_out_makes_a_picture(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.page.goto(f"{opened.root}docs")
        answer = await execute(opened)
        await expect(answer.locator(".response .response-col_status").first).to_contain_text("200")
        body = json.loads(await answer.locator(".response .microlight").first.text_content() or "")
        assert body["status"] in {"QUEUED", "IN_PROGRESS", "COMPLETE"}


async def test_the_curl_command_of_swagger_ui_works(browser: Browser, tmp_path: Path) -> None:
    async with (
        running(tmp_path, tmp_path / "cert.pem", env={"CAROOT": str(tmp_path)}) as server,
        studio(browser, server, ignore_https_errors=True) as opened,
    ):
        await opened.page.goto(f"{opened.root}docs")
        answer = await execute(opened)
        await expect(answer.locator(".response .response-col_status").first).to_contain_text("200")
        command = await opened.page.locator(".curl-command code").first.text_content()
        process = await asyncio.create_subprocess_exec(
            *("bash", "-e", "-c", command or ""),
            cwd=server.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (command, err.decode())
        assert json.loads(out)["status"] in {"QUEUED", "IN_PROGRESS", "COMPLETE"}, command


async def test_swagger_ui_try_it_out_sends_the_token(browser: Browser, serve: Serve) -> None:
    async with (
        serve(PLAIN, "--token", TOKEN) as server,
        studio(browser, server, "status of 401") as opened,
    ):
        await opened.page.goto(f"{opened.root}docs")
        answer = await execute(opened)
        status = answer.locator(".response .response-col_status").first
        await expect(status).to_contain_text("401")
        await opened.page.locator(".scheme-container .authorize").click()
        dialog = opened.page.locator(".dialog-ux")
        await dialog.locator("#auth-bearer-value").fill(TOKEN)
        await dialog.get_by_role("button", name="Apply credentials").first.click()
        await dialog.get_by_role("button", name="Close").first.click()
        await opened.page.get_by_role("button", name="Execute").click()
        await expect(status).to_contain_text("200")
