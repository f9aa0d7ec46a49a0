"""Folders that somebody removes while the server runs: `rm -rf output/*` and parts of it."""

import asyncio
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

Form = Callable[..., dict[str, Any]]

SIZE = {"height": 256, "width": 256}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


def contents(output: Path) -> list[Path]:
    """What `output/*` of a shell stands for: names with a dot in front stay."""
    return [path for path in output.iterdir() if not path.name.startswith(".")]


REMOVED: dict[str, Callable[[Path], list[Path]]] = {
    "output/*": contents,
    "TYPE": lambda output: [output / "text-to-image", output / "inpaint-image"],
    "TYPE/ID": lambda output: list(output.glob("*-image/*")),
    "spool": lambda output: [output / ".sdrest/spool"],
    "inputs": lambda output: [output / ".sdrest/inputs"],
    "work": lambda output: [output / ".sdrest/work"],
    "work/*": lambda output: list((output / ".sdrest/work").iterdir()),
    "all but .sdrest's files": lambda output: [
        *contents(output), *(path for path in (output / ".sdrest").iterdir() if path.is_dir())
    ],
}  # fmt: skip


def remove(output: Path, what: str) -> None:
    for path in REMOVED[what](output):
        shutil.rmtree(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Form:
    """Return a function that returns an upload for a type of jobs."""
    Image.new("RGB", (256, 256), "red").save(tmp_path / "image.png")
    Image.new("L", (256, 256), "white").save(tmp_path / "mask.png")

    def form(job_type: str = "inpaint-image") -> dict[str, Any]:
        names = ("image",) if job_type == "image-to-image" else ("image", "mask")
        files = {name: (tmp_path / f"{name}.png").open("rb") for name in names}
        return files | ({"prompt": "a"} if job_type == "image-to-image" else {})

    return form


async def images(site: Served, job: str) -> int:
    """Return how many images a job has that is COMPLETE, each of them fetched."""
    async with site.client.get(job) as response:
        answer = await response.json()
    assert answer["status"] == "COMPLETE", answer
    for url in answer["imageUrls"]:
        async with site.client.get(url) as response:
            assert response.status == 200
            assert (await response.read()).startswith(b"\x89PNG")
    return len(answer["imageUrls"])


@pytest.mark.parametrize("what", REMOVED)
async def test_folders_removed_while_the_server_runs_are_created_again(
    site: Served, what: str, pictures: Form
) -> None:
    await site.job("/text-to-image", json={"prompt": "before", **SIZE})
    remove(site.output, what)
    for job_type in ("image-to-image", "inpaint-image"):
        assert await images(site, await site.job(f"/{job_type}", data=pictures(job_type))) == 1
        remove(site.output, what)
    assert await images(site, await site.job("/text-to-image", json={"prompt": "b", **SIZE})) == 1
    async with site.client.get("/readyz") as response:
        assert response.status == 200


def open_gate(gate: Path, opened: Path) -> None:
    """Let a script go on; one that starts over finds the gate open, since it is so before."""
    with gate.open("wb"):  # once the script reads it
        opened.replace(gate)


@pytest.mark.parametrize("what", REMOVED)
async def test_a_running_job_survives_the_removal_of_its_folders(
    site: Served, tmp_path: Path, what: str
) -> None:
    gate, opened = tmp_path / "gate", tmp_path / "opened"
    os.mkfifo(gate)
    opened.write_bytes(b"")
    form = {"prompt": f"wait_between gate={gate}", "iterations": 2, **SIZE}
    async with site.client.post("/text-to-image", json=form, allow_redirects=False) as response:
        job = response.headers["Location"]
    await site.until(job, Change.IMAGE)
    remove(site.output, what)
    await asyncio.to_thread(open_gate, gate, opened)
    await site.until(job, Change.FINISHED)
    assert await images(site, job) == 2
    assert list((site.output / ".sdrest/work").iterdir()) == []


@pytest.mark.parametrize("name", ["image-to-image", "inpaint-image"])
async def test_a_running_job_needs_its_stored_pictures_no_more(
    site: Served, tmp_path: Path, name: str, pictures: Form
) -> None:
    form = pictures(name)
    async with site.client.post(f"/{name}", data=form, allow_redirects=False) as response:
        job = response.headers["Location"]
    await site.until(job, Change.STARTED)
    await site.until(job, Change.PROGRESS)
    shutil.rmtree(site.output / ".sdrest/inputs")
    await site.until(job, Change.FINISHED)
    assert await images(site, job) == 1


@pytest.mark.parametrize("name", ["spool", "inputs", "work"])
async def test_links_in_the_place_of_private_folders_are_refused(
    site: Served, tmp_path: Path, name: str, pictures: Form
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = site.output / ".sdrest" / name
    folder.rmdir()
    folder.symlink_to(elsewhere)
    async with site.client.post("/inpaint-image", data=pictures()) as response:
        answer = await response.json()
        if response.status == 503:
            assert answer["error"]["code"] == "storage_unavailable"
        else:
            await site.until(answer["resultUrl"], Change.FINISHED)
            async with site.client.get(answer["resultUrl"]) as last:
                assert (await last.json())["error"]["code"] == "storage_failed"
    assert list(elsewhere.iterdir()) == []
    folder.unlink()
    assert await images(site, await site.job("/inpaint-image", data=pictures())) == 1


@pytest.mark.parametrize("place", ["text-to-image", "text-to-image/ID"])
async def test_links_in_the_place_of_published_folders_are_refused(
    site: Served, tmp_path: Path, place: str
) -> None:
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = site.output / place.replace("ID", Path(job).name)
    shutil.rmtree(folder)
    folder.symlink_to(elsewhere)
    assert await site.job("/text-to-image", json={"prompt": "a", **SIZE}) == job
    async with site.client.get(job) as response:
        assert (await response.json())["error"]["code"] == "storage_failed"
    assert list(elsewhere.iterdir()) == []


async def test_an_output_folder_that_is_gone_is_not_made_again(
    site: Served, pictures: Form
) -> None:
    site.output.rename(site.output.with_name("away"))
    async with site.client.post("/inpaint-image", data=pictures()) as response:
        assert response.status == 503
    assert not site.output.exists()
    site.output.with_name("away").rename(site.output)
    assert await images(site, await site.job("/inpaint-image", data=pictures())) == 1


async def test_a_private_folder_that_was_removed_is_made_again(
    site: Served, pictures: Form
) -> None:
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    shutil.rmtree(site.output / ".sdrest")
    assert await images(site, await site.job("/inpaint-image", data=pictures())) == 1
    async with site.client.get(job) as response:
        assert response.status == 200  # its images are there still
    shutil.rmtree(site.output / ".sdrest")
    for path in contents(site.output):
        shutil.rmtree(path)
    for url in (f"{job}/1.png", job):
        async with site.client.get(url) as response:
            assert response.status == 404
    assert await images(site, await site.job("/text-to-image", json={"prompt": "b", **SIZE})) == 1
    async with site.client.get(job) as response:
        assert response.status == 404
    assert (site.output / ".sdrest").stat().st_mode & 0o777 == 0o700
