"""Somebody else's page, opened from a file: it uses the API as the original's examples do."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.page import PLAIN
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ASK = """async ([root, type, fields, pictures]) => {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  for (const name of pictures) {
    const canvas = new OffscreenCanvas(256, 256);
    const context = canvas.getContext("2d");
    context.fillStyle = name === "mask" ? "white" : "skyblue";
    context.fillRect(64, 64, 128, 128);
    body.append(name, await canvas.convertToBlob({ type: "image/png" }), `${name}.png`);
  }
  const first = await (await fetch(`${root}/${type}`, { method: "POST", body })).json();
  const source = new EventSource(`${root}${first.resultUrl}/events`);
  await new Promise((resolve, reject) => {
    source.onerror = reject;
    for (const kind of ["status", "progress", "image"]) {
      source.addEventListener(kind, ({ data }) => {
        if (!["QUEUED", "IN_PROGRESS"].includes(JSON.parse(data).status)) resolve();
      });
    }
  });
  source.close();
  const { status, imageUrls } = await (await fetch(`${root}${first.resultUrl}`)).json();
  const sizes = await Promise.all(imageUrls.map((url) => new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = reject;
    image.src = `${root}${url}`;
  })));
  return { status, sizes };
}"""
LIST = 'async (root) => fetch(`${root}/jobs`).then(() => "read", () => "refused")'
PROMPT = {"prompt": "a boat", "iterations": "2", "seed": "42"}
SMALL = {"width": "256", "height": "256"}


async def test_a_page_of_a_file_uses_all_three_routes(
    browser: Browser, serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text("<!doctype html><title>Example</title>")
    async with serve(PLAIN) as server, await browser.new_context() as context:
        root = server.url.rstrip("/").replace("0.0.0.0", "127.0.0.1")
        page = await context.new_page()
        await page.goto(file.as_uri())
        for job_type, fields, pictures, count in (
            ("text-to-image", {**PROMPT, **SMALL, "steps": "8"}, [], 2),
            ("image-to-image", {**PROMPT, "steps": "24"}, ["image"], 2),
            ("inpaint-image", {"seed": "42", "steps": "32"}, ["image", "mask"], 1),
        ):
            made = await page.evaluate(ASK, [root, job_type, fields, pictures])
            assert made == {"status": "COMPLETE", "sizes": [[256, 256]] * count}, job_type
        assert await page.evaluate(LIST, root) == "refused"  # the list is the owner's
