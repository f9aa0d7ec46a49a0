"""Images that somebody deletes behind the server's back: the status follows, the job runs again."""

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdrest.jobs.bus import Change
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

FORM = {"prompt": "a", "iterations": 3, "height": 256, "width": 256}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    target = path.with_name("elsewhere.png")
    path.rename(target)
    path.symlink_to(target)


DAMAGES: dict[str, tuple[Callable[[Path], object], list[int]]] = {
    "first": (lambda folder: (folder / "1.png").unlink(), [2, 3]),
    "middle": (lambda folder: (folder / "2.png").unlink(), [1, 3]),
    "last": (lambda folder: (folder / "3.png").unlink(), [1, 2]),
    "all": (lambda folder: list(map(Path.unlink, folder.iterdir())), []),
    "folder": (shutil.rmtree, []),
    "folder of the type": (lambda folder: shutil.rmtree(folder.parent), []),
    "folder renamed": (lambda folder: folder.rename(folder.with_name("kept")), []),
    "empty file": (lambda folder: os.truncate(folder / "2.png", 0), [1, 3]),
    "folder in its place": (lambda folder: _folder(folder / "2.png"), [1, 3]),
    "link in its place": (lambda folder: _link(folder / "2.png"), [1, 3]),
}
"""What is done to a job's folder, and which images are left."""


async def answer(site: Served, method: str, path: str, **form: Any) -> tuple[int, Any]:
    async with site.client.request(method, path, allow_redirects=False, **form) as response:
        text = await response.text()
        is_json = response.content_type == "application/json"
        return response.status, json.loads(text) if text and is_json else text


async def damaged(site: Served, damage: str) -> tuple[str, list[str]]:
    """Run a job of three images and damage its folder; return its path and what is left."""
    job = await site.job("/text-to-image", json=FORM)
    assert len((await answer(site, "GET", job))[1]["imageUrls"]) == 3
    change, left = DAMAGES[damage]
    change(site.output / job.strip("/"))
    return job, [f"{job}/{number}.png" for number in left]


async def assert_truth(site: Served, job: str, left: list[str]) -> None:
    _, found = await answer(site, "GET", job)
    assert (found["status"], found["imageUrls"]) == ("FAILED", left)
    assert found["error"]["code"] == "images_missing"
    assert f"{3 - len(left)} of the job's 3 images" in found["error"]["message"]
    missing = [n for n in (1, 2, 3) if f"{job}/{n}.png" not in left]
    assert found["error"]["details"] == {"missingImages": missing}
    for number in (1, 2, 3):
        url = f"{job}/{number}.png"
        for query in ("", "?size=64"):
            status, _ = await answer(site, "HEAD", url + query)
            assert status == (200 if url in left else 404)


async def assert_complete(site: Served, job: str) -> None:
    _, found = await answer(site, "GET", job)
    assert (found["status"], len(found["imageUrls"])) == ("COMPLETE", 3), found
    for url in found["imageUrls"]:
        async with site.client.get(url) as response:
            assert (await response.read()).startswith(b"\x89PNG")


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_job_with_deleted_images_becomes_failed_images_missing(
    site: Served, damage: str
) -> None:
    job, left = await damaged(site, damage)
    await assert_truth(site, job, left)
    _, listed = await answer(site, "GET", "/jobs?status=FAILED")
    assert [entry["imageUrls"] for entry in listed["jobs"]] == [left]
    assert listed["counts"]["FAILED"] == 1


@pytest.mark.parametrize("damage", DAMAGES)
async def test_the_request_of_a_job_whose_images_were_deleted_runs_again(
    site: Served, damage: str
) -> None:
    job, _ = await damaged(site, damage)
    site.changes[job, Change.FINISHED].clear()
    assert await site.job("/text-to-image", json=FORM) == job
    await assert_complete(site, job)


@pytest.mark.parametrize("damage", ["all", "first"])
async def test_a_known_request_looks_for_its_images_each_time(site: Served, damage: str) -> None:
    for _ in range(2):  # the second request is known by its bytes
        assert (await answer(site, "POST", "/text-to-image", json=FORM))[0] == 302
    job, _ = await damaged(site, damage)
    site.changes[job, Change.FINISHED].clear()
    await site.job("/text-to-image", json=FORM)
    await assert_complete(site, job)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_retry_of_a_job_whose_images_were_deleted_runs_it_again(
    site: Served, damage: str
) -> None:
    job, _ = await damaged(site, damage)
    site.changes[job, Change.FINISHED].clear()
    assert (await answer(site, "POST", f"{job}/retry"))[0] == 302
    await site.until(job, Change.FINISHED)
    await assert_complete(site, job)


async def test_an_upload_whose_images_were_deleted_runs_again(site: Served, tmp_path: Path) -> None:
    Image.new("RGB", (256, 256)).save(tmp_path / "image.png")

    def form() -> dict[str, Any]:
        return {"prompt": "a", "image": (tmp_path / "image.png").open("rb")}

    job = await site.job("/image-to-image", data=form())
    shutil.rmtree(site.output / job.strip("/"))
    status, refused = await answer(site, "POST", f"{job}/retry")
    assert (status, refused["error"]["code"]) == (409, "conflict")
    assert "Send its request again" in refused["error"]["message"]  # its upload is not kept
    assert await site.job("/image-to-image", data=form()) == job
    assert (await answer(site, "GET", job))[1]["status"] == "COMPLETE"


async def test_a_missing_image_changes_the_status_and_is_published(site: Served) -> None:
    job, left = await damaged(site, "middle")
    async with site.client.get("/events") as events:
        status, found = await answer(site, "GET", f"{job}/2.png?size=64")
        assert (status, found["error"]["code"]) == (404, "not_found")
        assert "no longer in the output folder" in found["error"]["message"]
        while not (line := await events.content.readline()).startswith(b"event: status"):
            assert line
        last = json.loads((await events.content.readline()).removeprefix(b"data: "))
    assert (last["status"], last["resultUrl"]) == ("FAILED", job)
    await assert_truth(site, job, left)


async def test_images_that_are_put_back_make_the_job_complete_again(site: Served) -> None:
    job, _ = await damaged(site, "folder renamed")
    folder = site.output / job.strip("/")
    await assert_truth(site, job, [])
    folder.with_name("kept").rename(folder)
    await assert_complete(site, job)
    assert (await answer(site, "GET", "/jobs"))[1]["counts"]["COMPLETE"] == 1
    (folder / "3.png").rename(folder / "x")
    (folder / "2.png").rename(folder / "y")
    await assert_truth(site, job, [f"{job}/1.png"])
    (folder / "x").rename(folder / "3.png")
    await assert_truth(site, job, [f"{job}/1.png", f"{job}/3.png"])


async def test_images_of_a_cancelled_job_that_were_deleted_are_not_listed(
    site: Served, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    form = FORM | {"prompt": f"wait_between gate={tmp_path / 'gate'}"}
    _, _ = await answer(site, "POST", "/text-to-image", json=form)
    (entry,) = (await answer(site, "GET", "/jobs"))[1]["jobs"]
    job = entry["resultUrl"]
    await site.until(job, Change.IMAGE)
    (site.output / job.strip("/") / "1.png").unlink()
    assert (await answer(site, "GET", job))[1]["imageUrls"] == []
    assert (await answer(site, "POST", f"{job}/cancel"))[1]["status"] == "CANCELLED"
    _, found = await answer(site, "GET", job)
    assert (found["status"], found["imageUrls"]) == ("CANCELLED", [])


async def test_a_job_whose_images_were_deleted_is_deleted(site: Served) -> None:
    job, _ = await damaged(site, "folder of the type")
    assert (await answer(site, "DELETE", job))[0] == 204
    assert (await answer(site, "GET", job))[0] == 410


async def test_the_status_of_deleted_images_survives_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        job, left = await damaged(site, "last")
    async with served(tmp_path) as site:
        await assert_truth(site, job, left)
        await site.job("/text-to-image", json=FORM)
        await assert_complete(site, job)
