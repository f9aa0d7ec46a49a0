"""Search, favourites, and many jobs at once: over HTTP, with real scripts and a real table."""

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from sdrest.jobs.folders import Folders
from sdrest.jobs.model import JobKey, Status
from sdrest.jobs.store import Store
from sdrest.web.responses.archive import MISSING
from tests.fakes.running import Lifeline
from tests.support.jobs import addition
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SIZE = {"height": 256, "width": 256}
TEXT = "/text-to-image"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def make(site: Served, prompt: str, **fields: Any) -> str:
    return await site.job(TEXT, json={"prompt": prompt, **SIZE, **fields})


async def found(site: Served, **query: str) -> list[str]:
    """Return the paths of the jobs that a list has."""
    async with site.client.get("/jobs", params=query) as response:
        assert response.status == 200, await response.text()
        return [entry["resultUrl"] for entry in (await response.json())["jobs"]]


async def mark(site: Served, url: str, method: str = "PUT") -> int:
    async with site.client.request(method, f"{url}/favourite") as response:
        return response.status


async def test_jobs_are_found_by_the_words_of_their_prompts(site: Served) -> None:
    lighthouse = await make(site, "A Lighthouse at Dusk")
    cafe = await make(site, "ÜBER dem Café, 100%_'\"")
    cases = {
        "lighthouse": [lighthouse], "DUSK light": [lighthouse], "dusk cafe": [],
        "über CAFÉ": [cafe], "100%_'\"": [cafe], "%": [cafe], "a": [cafe, lighthouse],
        "": [cafe, lighthouse], "  \t ": [cafe, lighthouse],
    }  # fmt: skip
    for text, jobs in cases.items():
        assert await found(site, q=text) == jobs, text
    assert await found(site, q="a", status="FAILED") == []
    assert await found(site, q="a", type="inpaint-image") == []


async def test_a_search_goes_on_with_the_cursor(tmp_path: Path) -> None:
    """Every match comes once, in the order of the list, however many others are between."""
    async with Store(Folders(tmp_path / "output")) as store:
        for number in range(60):
            name = f"a {'fox' if number % 7 == 0 else 'hen'}"
            key = JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}")
            new = replace(addition(name), key=key)
            await store.add(new, retry_after=1, on_insert=lambda _: None)
            await store.cancel(key, Status.QUEUED, size=0)
    async with served(tmp_path) as site:
        cursor, pages = "", []
        while True:
            query = {"q": "FOX", "limit": "4"} | ({"cursor": cursor} if cursor else {})
            async with site.client.get("/jobs", params=query) as response:
                answer = await response.json()
            pages.append([int(entry["id"], 16) for entry in answer["jobs"]])
            cursor = answer["nextCursor"]
            if cursor is None:
                break
        assert pages == [[56, 49, 42, 35], [28, 21, 14, 7], [0]]


async def test_favourites_are_kept_on_the_server(site: Served) -> None:
    one, two = await make(site, "one"), await make(site, "two", iterations=2)
    assert await mark(site, f"{two}/2.png") == 204
    assert await mark(site, f"{two}/1.png") == 204
    assert await mark(site, f"{two}/2.png") == 204
    assert await mark(site, f"{one}/2.png") == 404
    await site.until(two, Change.MARKED)
    assert await found(site, favourite="true") == [two]
    assert await mark(site, f"{two}/1.png", "DELETE") == 204
    async with site.client.get("/jobs") as response:
        marks = {
            entry["resultUrl"]: entry["favourites"] for entry in (await response.json())["jobs"]
        }
    assert marks == {one: [], two: [2]}


async def test_windows_hear_of_a_favourite_also_while_the_job_runs(
    site: Served, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    form = {"prompt": f"wait_between gate={gate}", **SIZE, "iterations": 2}
    async with site.client.post(TEXT, json=form, allow_redirects=False) as response:
        job = response.headers["Location"]
    await site.until(job, Change.IMAGE)
    async with site.client.get("/events") as events:
        assert await mark(site, f"{job}/1.png") == 204
        await asyncio.to_thread(gate.write_text, "")
        seen = [line async for line in _lines(events.content) if b'"favourites":' in line]
    assert b'"favourites":[]' in seen[0]
    assert len(seen) > 3
    assert all(b'"favourites":[1]' in line for line in seen[1:])


async def _lines(stream: Any) -> AsyncIterator[bytes]:
    """Yield the lines of a stream until the job is complete."""
    async for line in stream:
        yield line
        if b'"status":"COMPLETE"' in line:
            return


async def test_a_zip_has_speaking_names_and_says_what_is_missing(site: Served) -> None:
    first = await make(site, "A Lighthouse, at dusk!", iterations=3)
    second = await make(site, "a lighthouse at: dusk")
    third = await make(site, "灯台 🌊 " + "very " * 40)
    (site.output / second.lstrip("/") / "1.png").write_bytes(b"broken, but there")
    (site.output / first.lstrip("/") / "2.png").unlink()
    urls = [*(f"{first}/{n}.png" for n in (1, 2, 3)), f"{second}/1.png", f"{third}/1.png"]
    urls += [f"{first}/1.png", f"{TEXT}/{'0' * 32}/1.png"]
    for body in ({"json": {"images": urls}}, {"data": {"images": " ".join(urls)}}):
        async with site.client.post("/jobs/zip", **body) as response:
            assert response.status == 200
            assert response.headers["Content-Disposition"].startswith("attachment; filename=")
            data = await response.read()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert names == [
                "a-lighthouse-at-dusk-42-1.png",
                "a-lighthouse-at-dusk-42-3.png",
                "a-lighthouse-at-dusk-42-1-2.png",
                "灯台-very-very-very-very-very-very-very-very-very-42-1.png",
                MISSING,
            ]
            published = site.output / first.lstrip("/") / "3.png"
            assert archive.read(names[1]) == published.read_bytes()
            assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
            missing = archive.read(MISSING).decode()
        assert missing.startswith(f"{first}/2.png: ")
        assert f"\n{TEXT}/{'0' * 32}/1.png: " in missing


async def test_several_jobs_are_deleted_at_once(site: Served) -> None:
    jobs = [await make(site, name) for name in ("one", "two", "three")]
    for _ in range(2):  # what is gone already is left out
        async with site.client.post("/jobs/delete", json={"jobs": jobs[:2]}) as response:
            assert response.status == 204
    assert await found(site) == jobs[2:]
    assert not (site.output / jobs[0].lstrip("/")).exists()


async def test_cancel_all_ends_what_runs_and_what_waits(site: Served, lifeline: Lifeline) -> None:
    for name in (f"hang lifeline={lifeline.path}", "waits", "waits too"):
        form = {"prompt": name, **SIZE}
        async with site.client.post(TEXT, json=form, allow_redirects=False) as response:
            assert response.status == 302
    await lifeline.pids(1)
    async with site.client.post("/jobs/cancel") as response:
        assert response.status == 204
    async with site.client.get("/jobs") as response:
        counts = (await response.json())["counts"]
    assert counts["CANCELLED"] == 3
