"""`python -m benchmarks.gallery`: how the page's gallery scrolls with 10,000 jobs.

A trace of Chromium's DevTools counts the frames that are drawn while the page is scrolled through
all jobs; the heap and the elements are read after each pass.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Page, async_playwright

from benchmarks import document
from benchmarks.filled import fill
from benchmarks.servers import SDREST, Scene, end_on_signals, running, sdrest_program

JOBS = 10_000
SPEED = 3000
"""Pixels per second: a fast turn of the wheel that goes on."""

PASS = 30_000
"""Pixels of one measured pass."""

PASSES = 3

_CATEGORIES = (
    "devtools.timeline,disabled-by-default-devtools.timeline.frame,devtools.timeline.frame"
)
_BARE = "<body style='height: 300000px; background: linear-gradient(#eee, #345)'>"
"""A page that only scrolls: what this machine can draw at the time."""

_MIB = 2**20


def main() -> int:
    """Measure and write the section of the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"default {JOBS}")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser's program")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    options = parser.parse_args()
    end_on_signals()
    with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as name:
        folder = Path(name)
        document.log(f"writing {options.jobs:,} jobs")
        fill(folder / "output", options.jobs)
        scene = Scene(folder, ())
        with running(SDREST, scene, sdrest_program(), output=folder / "output") as server:
            lines = asyncio.run(_measure(server.port, options.chromium, options.jobs))
    document.publish("gallery", "\n".join(lines), dry=options.dry)
    return 0


async def _measure(port: int, program: str, jobs: int) -> Sequence[str]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            context = await browser.new_context(
                viewport={"width": 1440, "height": 900}, ignore_https_errors=True
            )
            page = await context.new_page()
            await page.goto(f"https://127.0.0.1:{port}/")
            await page.locator("#gallery .tile").first.wait_for()
            session = await context.new_cdp_session(page)
            rows = [await _state(page, session, "first pictures")]
            await _load_all(page, jobs)
            rows.append(await _state(page, session, f"{jobs:,} jobs loaded"))
            await page.evaluate("scrollTo(0, 0)")
            bare = await context.new_page()
            await bare.set_content(_BARE)
            bare_session = await context.new_cdp_session(bare)
            for number in range(1, PASSES + 1):
                await bare.bring_to_front()
                scrolled = await _scroll(bare_session)
                rows.append(await _state(bare, bare_session, f"a bare page, {number}", scrolled))
                await page.bring_to_front()
                scrolled = await _scroll(session)
                rows.append(await _state(page, session, f"the gallery, {number}", scrolled))
            return _table(rows)
        finally:
            await browser.close()


async def _load_all(page: Page, jobs: int) -> None:
    """Scroll to the end until the oldest job is there."""
    oldest = page.locator("#gallery .tile", has_text="number 0")
    for _ in range(jobs):
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await page.wait_for_timeout(100)
        if await oldest.count():
            return


async def _scroll(session: CDPSession) -> dict[str, float]:
    """Scroll by `PASS` pixels; return what the trace says of the frames, in milliseconds."""
    events: list[dict[str, Any]] = []
    done = asyncio.Event()
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: done.set())
    await session.send("Tracing.start", {"categories": _CATEGORIES, "transferMode": "ReportEvents"})
    gesture = {"x": 900, "y": 600, "yDistance": -PASS, "speed": SPEED}
    await session.send("Input.synthesizeScrollGesture", gesture)
    await session.send("Tracing.end")
    await done.wait()
    times = sorted(event["ts"] / 1000 for event in events if event["name"] == "DrawFrame")
    frames = [later - earlier for earlier, later in itertools.pairwise(times)]
    return {
        "rate": 1000 * len(frames) / sum(frames),
        "slow": statistics.quantiles(frames, n=100)[98],
    }


async def _state(
    page: Page, session: CDPSession, name: str, scrolled: dict[str, float] | None = None
) -> dict[str, Any]:
    await page.wait_for_timeout(1000)
    await session.send("HeapProfiler.collectGarbage")
    heap = (await session.send("Runtime.getHeapUsage"))["usedSize"] / _MIB
    elements = await page.evaluate("document.getElementsByTagName('*').length")
    found = {"name": name, "heap": heap, "elements": elements, **(scrolled or {})}
    document.log(json.dumps(found))
    return found


def _table(rows: Sequence[dict[str, Any]]) -> Sequence[str]:
    head = [
        document.heading(f"{SPEED:,} pixels a second"),
        "",
        "| | frames a second | p99 of a frame | heap | elements |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        frames = "| | "
        if "rate" in row:
            frames = f"| {row['rate']:.0f} | {row['slow']:.0f} ms "
        head.append(f"| {row['name']} {frames}| {row['heap']:.0f} MiB | {row['elements']:,} |")
    return head


if __name__ == "__main__":
    sys.exit(main())
