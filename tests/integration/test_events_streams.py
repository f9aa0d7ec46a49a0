"""Event streams of jobs, from a real server to a real client."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sdrest.jobs.bus import Change
from tests.support.web import Served, served


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    kind: str
    entry: dict[str, Any]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def ask(site: Served, **form: str) -> str:
    form = {"steps": "4", **form}
    async with site.client.post("/text-to-image", data=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """Read events until the stream ends."""
    fields: dict[str, str] = {}
    async for line in response.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


async def test_a_stream_tells_a_job_to_its_end(site: Served) -> None:
    url = await ask(site, prompt="a boat", iterations="2")
    async with site.client.get(f"{url}/events") as response:
        assert response.content_type == "text/event-stream"
        heard = [event async for event in events(response)]

    assert heard[0].kind == "status"
    assert heard[0].entry["params"]["prompt"] == "a boat"
    assert heard[-1].entry["status"] == "COMPLETE"
    assert heard[-1].entry["imageUrls"] == [f"{url}/1.png", f"{url}/2.png"]
    assert {event.kind for event in heard} <= {"status", "progress", "image"}
    assert all(event.entry["resultUrl"] == url for event in heard)


async def test_who_has_seen_the_end_need_not_come_again(site: Served) -> None:
    url = await site.job("/text-to-image", data={"prompt": "a lake"})
    async with site.client.get(f"{url}/events") as response:
        (last,) = [event async for event in events(response)]
    assert last.entry["status"] == "COMPLETE"

    async with site.client.get(f"{url}/events", headers={"Last-Event-ID": last.id}) as response:
        assert response.status == 204
    async with site.client.get(f"{url}/events", headers={"Last-Event-ID": "x"}) as response:
        assert [event.id async for event in events(response)] == [last.id]


async def test_there_is_no_stream_of_a_job_that_is_not_there(site: Served) -> None:
    async with site.client.get(f"/text-to-image/{'0' * 32}/events") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


async def test_all_jobs_are_heard_and_what_was_missed_is_told(site: Served) -> None:
    async with site.client.get("/events") as response:
        stream = events(response)
        first = await ask(site, prompt="a house")
        event = await anext(stream)
        assert event.entry["resultUrl"] == first
        while event.entry["status"] != "COMPLETE":
            event = await anext(stream)
    second = await site.job("/text-to-image", data={"prompt": "a hill"})

    async with site.client.get("/events", headers={"Last-Event-ID": event.id}) as response:
        missed = await anext(events(response))
    assert missed.entry["resultUrl"] == second
    assert missed.entry["status"] == "COMPLETE"


async def test_a_deletion_is_the_last_that_is_heard_of_a_job(site: Served) -> None:
    url = await ask(site, prompt="a slow one", iterations="50", steps="50")
    stream = await site.client.get(f"{url}/events")
    everything = await site.client.get("/events")
    heard = events(stream)
    await anext(heard)
    waiting = asyncio.create_task(_wait(site, url))
    async with site.client.delete(url) as response:
        assert response.status == 204
    *_, last = [event async for event in heard]  # it ends
    assert (last.kind, last.entry["resultUrl"]) == ("deleted", url)
    assert await waiting == 410
    async for event in events(everything):
        assert event.entry["resultUrl"] == url
        if event.kind == "deleted":
            break
    everything.close()
    async with site.client.get(f"{url}/events", headers={"Last-Event-ID": last.id}) as response:
        assert response.status == 410  # EventSource does not come again


async def _wait(site: Served, url: str) -> int:
    while True:
        async with site.client.get(url, params={"wait": "20"}) as response:
            if response.status != 200:
                return response.status


async def test_a_silent_stream_says_that_it_is_alive(tmp_path: Path) -> None:
    async with (
        served(tmp_path, heartbeat=0.05) as site,
        site.client.get("/events") as response,
    ):
        lines = [line async for line in _lines(response, b": still here\n", times=3)]
    assert lines.count(b": still here\n") == 3


async def _lines(
    response: aiohttp.ClientResponse, last: bytes, *, times: int
) -> AsyncIterator[bytes]:
    while times:
        line = await response.content.readline()
        times -= line == last
        yield line


async def test_head_opens_no_stream(site: Served) -> None:
    async with site.client.head("/events") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"


async def test_an_answer_is_held_until_the_job_changes(site: Served) -> None:
    url = await ask(site, prompt="a tree")
    states: list[dict[str, Any]] = []
    while not states or states[-1]["status"] != "COMPLETE":
        async with site.client.get(url, params={"wait": "20"}) as response:
            states.append(await response.json())
    assert all(before != after for before, after in itertools.pairwise(states))

    async with site.client.get(url, params={"wait": "20"}) as response:  # at its end: at once
        assert (await response.json())["status"] == "COMPLETE"


@pytest.mark.parametrize("wait", ["x", "-1", "1e", ""])
async def test_what_is_no_number_of_seconds_is_refused(site: Served, wait: str) -> None:
    async with site.client.get(f"/text-to-image/{'0' * 32}", params={"wait": wait}) as response:
        assert response.status == 422
        assert (await response.json())["error"]["details"]["fields"][0]["field"] == "wait"


async def test_a_stop_ends_the_streams(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as client:
        async with served(tmp_path) as site:
            response = await client.get(f"http://127.0.0.1:{site.port}/events")
            url = await ask(site, prompt="a sun")
            await site.until(url, Change.FINISHED)
        async with asyncio.timeout(30):
            heard = [event async for event in events(response)]
    assert heard[-1].entry["status"] == "COMPLETE"
