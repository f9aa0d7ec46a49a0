"""What those hear who listen to a job that is deleted."""

import asyncio
import resource
from pathlib import Path

import pytest

from sdrest.errors import StorageUnavailableError
from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Status
from tests.support.jobs import Gate, ScriptedExecutor, house, text, text_key
from tests.support.server import Serve
from tests.support.streams import events

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("state", ["running", "waiting"])
async def test_event_streams_send_deleted(serve: Serve, state: str) -> None:
    async with serve("--grace", "0") as server, server.client() as client:
        urls = {}
        for name, iterations in (("running", 100), ("waiting", 1)):
            form = {"prompt": name, "iterations": iterations, "steps": 50}
            async with client.post("/text-to-image", json=form) as response:
                urls[name] = response.url.path
        url = urls[state]
        gone = {"id": url.rpartition("/")[2], "resultUrl": url, "type": "text-to-image"}
        async with client.get("/events") as everybody, client.get(f"{url}/events") as one:
            everything, stream = events(everybody), events(one)
            await anext(stream)
            async with client.delete(url) as response:
                assert response.status == 204

            heard = [event async for event in stream]  # and so the stream has ended
            assert (heard[-1].kind, heard[-1].entry) == ("deleted", gone)
            assert all(event.entry["status"] != "CANCELLED" for event in heard[:-1])
            async for event in everything:
                if event.kind == "deleted":
                    assert event.entry == gone
                    break

        again = {"Last-Event-ID": heard[-1].id}
        async with client.get(f"{url}/events", headers=again) as response:
            assert response.status == 410  # which ends a browser's reconnecting
            assert (await response.json())["error"]["code"] == "gone"


async def test_a_long_poll_ends_with_410_when_the_job_is_deleted(serve: Serve) -> None:
    async with serve("--grace", "0") as server, server.client() as client:
        form = {"prompt": "a boat", "iterations": 100, "steps": 50}
        async with client.post("/text-to-image", json=form):
            pass
        async with client.post("/text-to-image", json={"prompt": "a hill"}) as response:
            url = response.url.path
        held = [asyncio.create_task(client.get(url, params={"wait": "60"})) for _ in range(10)]
        async with client.get(f"{url}/events") as response:  # sent after those, heard after them
            await anext(events(response))
        async with client.delete(url) as response:
            assert response.status == 204
        assert {(await each).status for each in held} == {410}


async def test_a_deletion_that_fails_on_a_full_disk_is_published(tmp_path: Path) -> None:
    """The disk is full just after the job was cancelled for it."""
    gate = Gate()
    key = text_key("a")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with house(tmp_path, ScriptedExecutor(script=gate)) as home:

        def fill(event: JobEvent) -> None:
            if event.change is Change.FINISHED:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))

        await home.submit(text("a"))
        await gate.entered.wait()
        home.bus.subscribe(fill)
        try:
            with pytest.raises(StorageUnavailableError):
                await home.jobs.delete(key)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        finished, kept = home.events[-2:]
        assert (finished.change, finished.deleting) == (Change.FINISHED, True)
        assert (kept.change, kept.deleting) == (Change.DELETE_FAILED, False)
        assert kept.snapshot.job.status is Status.CANCELLED
        await home.jobs.delete(key)
        assert home.changes(key)[-1] is Change.DELETED
