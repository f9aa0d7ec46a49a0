"""Full disks, no more files, lost and unwritable folders, stuck scripts: the server lives."""

import asyncio
import io
import resource
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.engine.base import Event, Finished, Output, Started, Task
from sdrest.errors import FailureCode, StorageUnavailableError
from sdrest.jobs.bus import Change
from sdrest.jobs.model import Status
from tests.fakes.running import Lifeline, run_alone, task
from tests.support.disk import limited
from tests.support.jobs import Gate, ScriptedExecutor, house, picture, text, text_key
from tests.support.web import Served, served

pytestmark = pytest.mark.integration

SIZE = {"height": 256, "width": 256}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def status(site: Served, job: str) -> dict[str, Any]:
    async with site.client.get(job) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def retried(site: Served, job: str) -> dict[str, Any]:
    """Run a job again; return its end."""
    async with site.client.post(f"{job}/retry", allow_redirects=False) as response:
        assert response.status == 302, await response.text()
    await site.until(job, Change.FINISHED)
    return await status(site, job)


async def test_emfile_fails_a_job_but_not_the_server(site: Served) -> None:
    done = await site.job("/text-to-image", json={"prompt": "first", **SIZE})
    with limited(resource.RLIMIT_NOFILE, 3):  # the connection is there already
        async with site.client.get(f"{done}/1.png") as response:
            assert response.status == 503  # and not 404: it is there
        async with site.client.post("/image-to-image", data={"image": io.BytesIO()}) as response:
            assert response.status == 503  # there is no file to keep an upload in
            assert (await response.json())["error"]["code"] == "storage_unavailable"
        job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
        failed = await status(site, job)
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "out_of_resources")
    assert (await retried(site, job))["status"] == "COMPLETE"


async def test_a_full_disk_gets_503_until_there_is_room(site: Served) -> None:
    with limited(resource.RLIMIT_FSIZE, 1024):
        async with site.client.post("/text-to-image", json={"prompt": "a", **SIZE}) as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == "storage_unavailable"
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    assert (await status(site, job))["status"] == "COMPLETE"


async def test_a_job_that_ends_on_a_full_disk_waits_for_room(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate)) as home:
        await home.submit(text("a"))
        await gate.entered.wait()
        with limited(resource.RLIMIT_FSIZE, 1024):
            gate.opened.set()
            with pytest.raises(StorageUnavailableError):
                await home.submit(text("b"))
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE


async def test_a_folder_that_cannot_be_written_fails_a_job(site: Served) -> None:
    folder = site.output / "text-to-image"
    folder.rename(site.output / "away")
    folder.write_bytes(b"")
    job = await site.job("/text-to-image", json={"prompt": "a", **SIZE})
    failed = await status(site, job)
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "storage_failed")
    folder.unlink()
    (site.output / "away").rename(folder)
    assert (await retried(site, job))["status"] == "COMPLETE"


async def test_a_silent_script_is_ended_by_stall_timeout(tmp_path: Path) -> None:
    lifeline = Lifeline(tmp_path / "lifeline")
    try:
        async with served(tmp_path, stall_timeout=1.0, keep_alive=0.0) as site:
            form = {"prompt": f"hang lifeline={lifeline.path}", **SIZE}
            job = await site.job("/text-to-image", json=form)
            failed = await status(site, job)
            assert (failed["status"], failed["error"]["code"]) == ("FAILED", "stalled")
            assert "--stall-timeout" in failed["error"]["message"]
            assert await lifeline.all_gone()
    finally:
        lifeline.close()


async def test_a_script_that_writes_does_not_stall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall = 20.0
    loop = asyncio.get_running_loop()
    clock = loop.time

    async def chatty(task: Task) -> AsyncGenerator[Event, None]:
        yield Started()
        for step in (0.6, 1.2, 1.8):  # the clock jumps, so that no pause of this machine counts
            monkeypatch.setattr(loop, "time", lambda late=step * stall: clock() + late)
            yield Output()
        yield picture(task, 1)
        yield Finished()

    async with house(tmp_path, ScriptedExecutor(chatty), stall_timeout=stall) as home:
        await home.submit(text("a"))
        assert (await home.ended(text_key("a"))).snapshot.job.status is Status.COMPLETE


async def test_output_of_a_script_is_an_event_that_resets_the_stall_timeout(
    tmp_path: Path,
) -> None:
    events = await run_alone(task(tmp_path / "work", "flood_stderr"))
    assert Output() in events


async def test_job_timeout_beside_a_stall_timeout_fails_with_timeout(tmp_path: Path) -> None:
    gate = Gate()
    async with house(tmp_path, ScriptedExecutor(gate), job_timeout=0.05, stall_timeout=60) as home:
        await home.submit(text("a"))
        failure = (await home.ended(text_key("a"))).snapshot.job.failure
        assert failure is not None
        assert failure.code is FailureCode.TIMEOUT
