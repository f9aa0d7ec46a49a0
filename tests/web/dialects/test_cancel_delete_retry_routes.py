"""Cancel, delete, retry and list over HTTP, with real scripts that misbehave."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdrest.job_types import JobType
from sdrest.jobs.bus import Change
from tests.fakes.running import PATIENCE, Lifeline
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SIZE = {"height": 256, "width": 256}
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, keep_alive=0.0) as site:  # no idle runner stays
        yield site


async def post(site: Served, prompt: str, **fields: Any) -> str:
    """Ask for a job; return its path."""
    form = {"prompt": prompt, **SIZE, **fields}
    async with site.client.post("/text-to-image", json=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def call(site: Served, method: str, path: str) -> tuple[int, Any]:
    """Return an answer's status and its JSON, if it has any."""
    async with site.client.request(method, path, allow_redirects=False) as response:
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status, await response.json() if is_json else await response.text()


async def code(site: Served, method: str, path: str) -> tuple[int, str]:
    status, answer = await call(site, method, path)
    return status, answer["error"]["code"]


async def jobs(site: Served, query: str = "") -> dict[str, Any]:
    status, answer = await call(site, "GET", f"/jobs{query}")
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


async def test_cancel_ends_a_waiting_job_at_once(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = await post(site, f"wait_between gate={gate}", iterations=2)
    await site.until(running, Change.IMAGE)
    first, second = await post(site, "first"), await post(site, "second")
    assert (await call(site, "GET", second))[1]["position"] == 2

    cancelled = {"imageUrls": [], "resultUrl": first, "status": "CANCELLED"}
    assert await call(site, "POST", f"{first}/cancel") == (200, cancelled)
    assert await call(site, "POST", f"{first}/cancel") == (200, cancelled)
    assert await call(site, "GET", first) == (200, cancelled)
    assert (await call(site, "GET", second))[1]["position"] == 1

    await asyncio.to_thread(gate.write_text, "")
    await site.until(second, Change.FINISHED)
    done = (await call(site, "GET", running))[1]
    assert await call(site, "POST", f"{running}/cancel") == (200, done)
    assert done["status"] == "COMPLETE"


@pytest.mark.parametrize("way", ["cancel", "delete"])
async def test_cancel_kills_a_script_that_ignores_sigterm(
    site: Served, tmp_path: Path, way: str
) -> None:
    lifeline = Lifeline(tmp_path / "lifeline")
    try:
        job = await post(site, f"deaf lifeline={lifeline.path}")
        assert len(await lifeline.pids(3)) == 3
        request = ("POST", f"{job}/cancel") if way == "cancel" else ("DELETE", job)
        assert (await call(site, *request))[0] == {"cancel": 200, "delete": 204}[way]
        assert await lifeline.all_gone()
    finally:
        lifeline.close()
    assert list((site.output / ".sdrest" / "work").iterdir()) == []
    following = await site.job("/text-to-image", json={"prompt": "next", **SIZE})
    assert (await call(site, "GET", following))[1]["status"] == "COMPLETE"


async def test_finished_images_of_a_cancelled_job_stay(site: Served, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    job = await post(site, f"wait_between gate={gate}", iterations=2)
    await site.until(job, Change.IMAGE)
    status, answer = await call(site, "POST", f"{job}/cancel")
    assert (status, answer["status"], answer["imageUrls"]) == (200, "CANCELLED", [f"{job}/1.png"])
    async with site.client.get(f"{job}/1.png") as response:
        assert response.status == 200
        assert (await response.read()).startswith(b"\x89PNG")
    assert await code(site, "GET", f"{job}/2.png") == (404, "not_found")


async def test_a_deleted_job_answers_410_until_it_is_submitted_again(site: Served) -> None:
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    assert (site.output / job.lstrip("/") / "1.png").exists()

    assert await call(site, "DELETE", job) == (204, "")
    assert not (site.output / job.lstrip("/")).exists()
    for method, path in [
        ("GET", job), ("GET", f"{job}/1.png"), ("DELETE", job),
        ("POST", f"{job}/cancel"), ("POST", f"{job}/retry"),
    ]:  # fmt: skip
        assert await code(site, method, path) == (410, "gone"), path
    assert (await jobs(site))["jobs"] == []

    site.changes.clear()
    assert await site.job("/text-to-image", json={"prompt": "a", **SIZE}) == job
    assert (await call(site, "GET", job))[1]["status"] == "COMPLETE"


async def test_delete_removes_a_job_of_the_original(site: Served) -> None:
    folder = site.output / "text-to-image" / ("0" * 32)
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "1.png")
    job = f"/text-to-image/{'0' * 32}"
    assert (await call(site, "GET", job))[1]["status"] == "COMPLETE"
    assert (await call(site, "POST", f"{job}/cancel"))[1]["status"] == "COMPLETE"
    assert await call(site, "DELETE", job) == (204, "")
    assert not folder.exists()
    assert await code(site, "GET", job) == (410, "gone")


@pytest.mark.parametrize(
    ("method", "action"), [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")]
)
@pytest.mark.parametrize("job_type", JobType)
async def test_cancel_delete_and_retry_of_an_unknown_job_get_404(
    site: Served, job_type: JobType, method: str, action: str
) -> None:
    assert await code(site, method, f"/{job_type}/{'0' * 32}{action}") == (404, "not_found")


async def test_retry_of_a_failed_job_uses_its_stored_uploads(site: Served, tmp_path: Path) -> None:
    Image.new("RGB", (256, 256)).save(tmp_path / "image.png")

    def form() -> dict[str, Any]:
        return {"prompt": "crash_before", "image": (tmp_path / "image.png").open("rb")}

    job = await site.job("/image-to-image", data=form())
    assert (await call(site, "GET", job))[1]["status"] == "FAILED"
    status, _ = await call(site, "POST", f"{job}/retry")
    assert status == 302
    await site.until(job, Change.FINISHED)
    (entry,) = (await jobs(site))["jobs"]
    assert entry["error"]["code"] == "script_failed"  # of a script that ran with its picture

    (inputs,) = (site.output / ".sdrest" / "inputs").iterdir()
    (inputs / "image.png").unlink()
    assert await code(site, "POST", f"{job}/retry") == (409, "conflict")
    assert (await call(site, "GET", job))[1]["status"] == "FAILED"
    assert await site.job("/image-to-image", data=form()) == job
    assert await call(site, "DELETE", job) == (204, "")
    assert list((site.output / ".sdrest" / "inputs").iterdir()) == []


async def test_retry_of_a_complete_job_gets_409(site: Served) -> None:
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    assert await code(site, "POST", f"{job}/retry") == (409, "conflict")


async def test_retry_redirects_to_the_job_with_302(site: Served) -> None:
    job = await site.job("/text-to-image", json={"prompt": "crash_before", **SIZE})
    shouted = job.replace("text-to-image", "TEXT-to-image")
    async with site.client.post(f"{shouted}/retry/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, shouted)


async def test_get_jobs_is_complete_and_paged_by_cursor(site: Served, tmp_path: Path) -> None:
    assert await jobs(site) == {
        "counts": {"QUEUED": 0, "IN_PROGRESS": 0, "COMPLETE": 0, "FAILED": 0, "CANCELLED": 0},
        "jobs": [],
        "nextCursor": None,
    }
    done = await site.job("/text-to-image", json={"prompt": "done", "seed": None, **SIZE})
    failed = await site.job("/text-to-image", json={"prompt": "crash_before", **SIZE})
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    running = await post(site, f"wait_between gate={gate}", iterations=2)
    await site.until(running, Change.IMAGE)
    waiting = [await post(site, f"job {number}") for number in range(3)]
    await call(site, "POST", f"{waiting[1]}/cancel")
    newest_first = [*reversed(waiting), running, failed, done]

    answer = await jobs(site)
    assert answer["counts"] == {
        "QUEUED": 2, "IN_PROGRESS": 1, "COMPLETE": 1, "FAILED": 1, "CANCELLED": 1,
    }  # fmt: skip
    assert [entry["resultUrl"] for entry in answer["jobs"]] == newest_first
    assert [entry.get("position") for entry in answer["jobs"]] == [2, None, 1, None, None, None]
    assert all(list(entry) == sorted(entry) for entry in answer["jobs"])
    complete = answer["jobs"][-1]
    for name in ("createdAt", "startedAt", "finishedAt"):
        assert TIME.fullmatch(complete.pop(name))
    assert isinstance(complete.pop("seed"), int)
    assert complete.pop("params")["prompt"] == "done"
    assert complete == {
        "favourites": [],
        "imageSize": {"width": 256, "height": 256},
        "id": done.rpartition("/")[2],
        "imageUrls": [f"{done}/1.png"],
        "resultUrl": done,
        "status": "COMPLETE",
        "type": "text-to-image",
    }
    assert answer["jobs"][0]["startedAt"] is answer["jobs"][0]["finishedAt"] is None

    seen, cursor = [], ""
    for _ in range(3):
        page = await jobs(site, f"?limit=2{cursor}")
        seen += [entry["resultUrl"] for entry in page["jobs"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert page["nextCursor"] is None
    assert seen == newest_first
    for query, expected in {
        "?status=QUEUED": [waiting[2], waiting[0]],
        "?status=FAILED&type=text-to-image": [failed],
        "?type=inpaint-image": [],
    }.items():
        assert [entry["resultUrl"] for entry in (await jobs(site, query))["jobs"]] == expected
    await asyncio.to_thread(gate.write_text, "")
    await site.until(waiting[2], Change.FINISHED)


@pytest.mark.parametrize(
    "query",
    ["status=queued", "type=x", "limit=0", "limit=1001", "limit=x", "limit=", "cursor=-1",
     "cursor=9223372036854775808", "cursor=" + "9" * 5000, "limit=%C2%B2"],
)  # fmt: skip
async def test_get_jobs_with_a_wrong_query_gets_422(site: Served, query: str) -> None:
    status, answer = await call(site, "GET", f"/jobs?{query}")
    assert (status, answer["error"]["code"]) == (422, "invalid_request")
    assert [error["field"] for error in answer["error"]["details"]["fields"]] == [
        query.partition("=")[0]
    ]


async def test_concurrent_cancel_and_delete_agree(site: Served, tmp_path: Path) -> None:
    lifeline = Lifeline(tmp_path / "lifeline")
    try:
        job = await post(site, f"hang lifeline={lifeline.path}")
        await lifeline.pids(1)
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(
                *(call(site, "POST", f"{job}/cancel") for _ in range(5)),
                *(call(site, "DELETE", job) for _ in range(5)),
            )
        assert await lifeline.all_gone()
    finally:
        lifeline.close()
    assert {status for status, _ in answers} <= {200, 204, 410}
    assert sorted(status for status, _ in answers).count(204) >= 1
    assert await code(site, "GET", job) == (410, "gone")
