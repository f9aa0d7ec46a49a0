"""What the page says of jobs, in words and numbers."""

import pytest
from playwright.async_api import Browser

from tests.support.page import PLAIN, studio
from tests.support.server import Serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WORDS = {
    "stateText({ status: 'QUEUED', position: 1 })": "Next in queue",
    "stateText({ status: 'QUEUED', position: 3 })": "3rd in queue",
    "stateText({ status: 'QUEUED', position: 12 })": "12th in queue",
    # after a restart the run makes listed pictures again
    "stateText({ status: 'IN_PROGRESS', imageUrls: ['1.png', '2.png', '3.png', '4.png', '5.png'], "
    "progress: { currentImageIndex: 2, currentImageProgress: 0.2, totalImages: 20 } })": (
        "Picture 6 of 20 · 25 %"
    ),
    "fileName({ type: 'inpaint-image', params: {}, seed: 5 }, '/x/2.png')": (
        "inpaint-image-5-2.png"
    ),
    "summary({ type: 'image-to-image', params: { prompt: 'x', steps: 8, "
    "strength: 0.5 }, seed: 5, createdAt: new Date().toISOString() })": (
        "Seed 5 · Image to image · 8 steps · strength 0.5 · just now"
    ),
    "fileName({ params: { prompt: 'Ein Bär,\\n auf/dem Eis!', seed: 42 } }, '/x/1.png')": (
        "ein-bär-auf-dem-eis-42-1.png"
    ),
}
LEFT = """import("/static/estimate.js").then(({ record, secondsLeft }) => {
  const at = (part, seconds) => record({
    resultUrl: "/x", status: "IN_PROGRESS",
    progress: { currentImageIndex: 1, currentImageProgress: part, totalImages: 1 },
  }, seconds * 1000);
  for (const [part, seconds] of [[0, 0], [0.1, 5], [0.2, 6]]) at(part, seconds);
  return secondsLeft({ resultUrl: "/x" });
})"""
"""A script: what a job still needs that has begun after five seconds."""


async def test_words_about_jobs(browser: Browser, serve: Serve) -> None:
    async with serve(PLAIN) as server, studio(browser, server) as opened:
        await opened.open()
        script = "import('/static/job.js').then(({ stateText, fileName, summary }) => [%s])"
        assert await opened.page.evaluate(script % ", ".join(WORDS)) == [*WORDS.values()]
        assert await opened.page.evaluate(LEFT) == pytest.approx(8)
        script = """import("/static/tab.js").then(({ showTitle }) => {
          showTitle([3, 2].map((position) => ({ status: "QUEUED", position })));
          return document.title;
        })"""
        assert await opened.page.evaluate(script) == "2nd in queue · sdrest"
