"""Event streams of jobs, from a real server to a real client."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sdrest.jobs.bus import Change
from tests.support.streams import events
from tests.support.web import Served, served

pytestmark = pytest.mark.integration


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as site:
        yield site


async def ask(site: Served, **form: str) -> str:
    form = {"steps": "4", **form}
    async with site.client.post("/text-to-image", data=form, allow_redirects=False) as response:
        assert response.status == 302, await response.text()
        return response.headers["Location"]


async def test_an_event_stream_follows_a_job_to_its_end(site: Served) -> None:
    url = await ask(site, prompt="a boat", iterations="2")
    async with site.client.get(f"{url}/events") as response:
        assert response.content_type == "text/event-stream"
        heard = [event async for event in events(response)]

    assert heard[0].kind == "status"
    assert heard[0].entry["params"]["prompt"] == "a boat"
    assert heard[-1].entry["status"] == "COMPLETE"
    assert heard[-1].entry["imageUrls"] == [f"{url}/1.png", f"{url}/2.png"]
    assert {event.kind for event in heard} <= {"status", "progress", "preview", "image"}
    assert all(event.entry["resultUrl"] == url for event in heard)


async def test_last_event_id_of_the_end_gets_204(site: Served) -> None:
    url = await site.job("/text-to-image", data={"prompt": "a lake"})
    async with site.client.get(f"{url}/events") as response:
        (last,) = [event async for event in events(response)]
    assert last.entry["status"] == "COMPLETE"

    async with site.client.get(f"{url}/events", headers={"Last-Event-ID": last.id}) as response:
        assert response.status == 204
    async with site.client.get(f"{url}/events", headers={"Last-Event-ID": "x"}) as response:
        assert [event.id async for event in events(response)] == [last.id]


async def test_events_of_an_unknown_job_get_404(site: Served) -> None:
    async with site.client.get(f"/text-to-image/{'0' * 32}/events") as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"


async def test_last_event_id_replays_missed_events(site: Served) -> None:
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


async def test_last_event_id_before_the_first_event_replays_all(site: Served) -> None:
    async with site.client.get("/events") as response:
        await response.content.readuntil(b"id: ")
        mark = (await response.content.readline()).decode().strip()
    url = await site.job("/text-to-image", data={"prompt": "a hill"})
    async with site.client.get("/events", headers={"Last-Event-ID": mark}) as response:
        stream = events(response)
        missed = await anext(stream)
        assert (missed.kind, missed.entry["resultUrl"]) == ("status", url)
        second = await ask(site, prompt="a house")
        assert (await anext(stream)).entry["resultUrl"] == second  # and so it goes on


@pytest.mark.parametrize("last_id", ["1", "x-1-0", "00000000-5-0", "0-" + "9" * 5000])
async def test_last_event_id_of_another_server_gets_reset(site: Served, last_id: str) -> None:
    await site.job("/text-to-image", data={"prompt": "a hill"})
    async with site.client.get("/events", headers={"Last-Event-ID": last_id}) as response:
        reset = await anext(events(response))
    assert (reset.kind, reset.entry) == ("reset", {})
    async with site.client.get("/events", headers={"Last-Event-ID": reset.id}) as response:
        stream = events(response)
        url = await ask(site, prompt="a house")
        assert (await anext(stream)).entry["resultUrl"] == url


async def test_a_silent_stream_sends_heartbeats(tmp_path: Path) -> None:
    async with served(tmp_path, heartbeat=0.02) as site:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        url = await ask(site, prompt=f"wait_between gate={gate}", iterations="2")
        await site.until(url, Change.IMAGE)
        for path in ("/events", f"{url}/events"):
            async with site.client.get(path) as response:
                for _ in range(3):
                    await response.content.readuntil(b": still here\n\n")
        async with site.client.get(f"{url}/events") as response:
            await response.content.readuntil(b": still here\n\n")
            await asyncio.to_thread(gate.write_text, "")
            heard = [event async for event in events(response)]
        assert heard[-1].entry["status"] == "COMPLETE"


async def test_an_http_1_0_client_gets_events_without_chunks(site: Served) -> None:
    url = await site.job("/text-to-image", data={"prompt": "a lake"})
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET {url}/events HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert body.startswith(b"retry: ")
    assert body.endswith(b"}\n\n")


async def test_head_opens_no_stream(site: Served) -> None:
    async with site.client.head("/events") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"


async def test_wait_holds_the_answer_until_the_job_changes(site: Served) -> None:
    url = await ask(site, prompt="a tree")
    states: list[dict[str, Any]] = []
    while not states or states[-1]["status"] != "COMPLETE":
        async with site.client.get(url, params={"wait": "20"}) as response:
            states.append(await response.json())
    assert all(before != after for before, after in itertools.pairwise(states))

    async with site.client.get(url, params={"wait": "20"}) as response:  # at its end: at once
        assert (await response.json())["status"] == "COMPLETE"


@pytest.mark.parametrize("wait", ["x", "-1", "1e", ""])
async def test_a_wrong_wait_gets_422(site: Served, wait: str) -> None:
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
