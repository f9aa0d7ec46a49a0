"""Requests that wait for their pictures: what happens to their jobs when clients come and go."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sdrest.jobs.bus import Change, JobEvent
from tests.fakes.running import Lifeline
from tests.support.web import PATIENCE, Served, served

pytestmark = pytest.mark.integration

GENERATIONS = "/v1/images/generations"
RETRY_COUNT = "X-Stainless-Retry-Count"


class Seen:
    """What happens to jobs, in order, by their prompts."""

    def __init__(self, site: Served) -> None:
        self.events: list[tuple[str, Change]] = []
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        site.bus.subscribe(self._note)

    def _note(self, event: JobEvent) -> None:
        self.events.append((event.snapshot.job.params["prompt"], event.change))
        self._tasks.add(asyncio.create_task(self._notify()))

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, prompt: str, change: Change, count: int = 1) -> None:
        """Wait until something has happened `count` times to jobs with a prompt."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self.events.count((prompt, change)) >= count)


@asynccontextmanager
async def site(folder: Path, **flags: Any) -> AsyncIterator[tuple[Served, Seen]]:
    async with served(folder, **flags) as served_site:
        yield served_site, Seen(served_site)


class Client:
    """A client that waits for the answer to a request, on a connection of its own."""

    def __init__(self, site: Served, prompt: str, path: str = GENERATIONS, **more: Any) -> None:
        headers = more.pop("headers", {})
        self._url = f"http://127.0.0.1:{site.port}{path}"
        self._body = {"prompt": prompt, "size": "256x256", "response_format": "b64_json", **more}
        self.waiting = asyncio.create_task(self._wait(headers))

    async def _wait(self, headers: dict[str, str]) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._url, json=self._body, headers=headers) as response,
        ):
            text = await response.text()
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else text

    async def leave(self) -> None:
        self.waiting.cancel()
        await asyncio.wait([self.waiting])


async def statuses(site: Served) -> dict[str, list[str]]:
    """Return the statuses of all jobs by their prompts, oldest first."""
    found: dict[str, list[str]] = {}
    async with site.client.get("/jobs") as response:
        for job in reversed((await response.json())["jobs"]):
            found.setdefault(job["params"]["prompt"], []).append(job["status"])
    return found


@pytest.mark.parametrize("more", [{}, {"stream": True}])
async def test_the_jobs_of_a_client_that_leaves_are_cancelled_and_the_others_go_on(
    tmp_path: Path, lifeline: Lifeline, more: dict[str, Any]
) -> None:
    hang = f"hang lifeline={lifeline.path}"
    async with site(tmp_path) as (app, seen):
        running = Client(app, hang, **more)
        await lifeline.pids(1)
        queued = Client(app, "leaves the queue", n=3, **more)
        await seen.until("leaves the queue", Change.QUEUED, 3)
        stays = Client(app, "stays")
        await seen.until("stays", Change.QUEUED)
        await queued.leave()
        await seen.until("leaves the queue", Change.FINISHED, 3)
        await running.leave()
        status, answer = await stays.waiting
        assert (status, len(answer["data"])) == (200, 1)
        assert await statuses(app) == {
            hang: ["CANCELLED"],
            "leaves the queue": ["CANCELLED"] * 3,
            "stays": ["COMPLETE"],
        }
    assert ("leaves the queue", Change.STARTED) not in seen.events
    assert await lifeline.all_gone()


async def test_with_keep_abandoned_a_job_outlives_its_client(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    prompt = f"wait_between gate={gate}"
    async with site(tmp_path, keep_abandoned=True) as (app, seen):
        client = Client(app, prompt)
        await seen.until(prompt, Change.IMAGE)
        await client.leave()
        await asyncio.to_thread(gate.write_text, "")
        await seen.until(prompt, Change.FINISHED)
        assert await statuses(app) == {prompt: ["COMPLETE"]}


async def test_a_retry_joins_the_jobs_of_its_first_try(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    prompt = f"wait_between gate={gate}"

    def attempt(count: int) -> Client:
        return Client(app, prompt, headers={RETRY_COUNT: str(count)})

    async with site(tmp_path) as (app, seen):
        first = attempt(0)
        await seen.until(prompt, Change.IMAGE)
        await first.leave()
        second = attempt(1)
        third = attempt(2)
        await asyncio.to_thread(gate.write_text, "")
        answers = [await second.waiting, await third.waiting]
        late = await attempt(1).waiting
        assert [status for status, _ in (*answers, late)] == [200, 200, 200]
        assert answers[0][1]["data"] == answers[1][1]["data"] == late[1]["data"]
        assert await statuses(app) == {prompt: ["COMPLETE"]}


async def test_another_body_or_a_first_try_is_a_new_job(tmp_path: Path) -> None:
    async with site(tmp_path) as (app, _):
        for headers in ({RETRY_COUNT: "0"}, {RETRY_COUNT: "0"}, {}):
            status, _answer = await Client(app, "same", seed=1, headers=headers).waiting
            assert status == 200
        await Client(app, "same", seed=2, headers={RETRY_COUNT: "1"}).waiting
        assert await statuses(app) == {"same": ["COMPLETE"] * 4}


async def test_a_request_that_the_queue_has_no_room_for_queues_nothing(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    hang = f"hang lifeline={lifeline.path}"
    async with site(tmp_path, max_queue=2) as (app, seen):
        running = Client(app, hang)
        await lifeline.pids(1)
        body = {"prompt": "too many", "n": 3}
        async with app.client.post(GENERATIONS, json=body) as response:  # never has room
            assert response.status == 400
            error = (await response.json())["error"]
        assert (error["param"], error["message"]) == (
            "n",
            "n: This server takes at most 2 pictures at once (--max-queue).",
        )
        waits = Client(app, "waits")
        await seen.until("waits", Change.QUEUED)
        body = {"prompt": "too many", "n": 2}
        async with app.client.post(GENERATIONS, json=body) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 0
            error = (await response.json())["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
        assert await statuses(app) == {hang: ["IN_PROGRESS"], "waits": ["QUEUED"]}
        await waits.leave()
        await running.leave()


async def test_a_stop_answers_503_and_cancels_what_nobody_will_wait_for(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    hang = f"hang lifeline={lifeline.path}"
    async with site(tmp_path, shutdown_timeout=PATIENCE) as (app, seen):
        plain = Client(app, hang)
        await lifeline.pids(1)
        stream = Client(app, "waits", stream=True)
        await seen.until("waits", Change.QUEUED)
    status, answer = await plain.waiting
    assert (status, answer["error"]["code"]) == (503, "stopping")
    assert (await stream.waiting)[1].endswith('"code":"stopping"}}\n\n')
    async with site(tmp_path) as (app, _):
        assert await statuses(app) == {hang: ["CANCELLED"], "waits": ["CANCELLED"]}


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda app, url: app.client.post(f"{url}/cancel"), "cancelled"),
        (lambda app, url: app.client.delete(url), "gone"),
    ],
)
async def test_a_job_that_somebody_else_ends_is_an_error_that_is_not_retried(
    tmp_path: Path,
    lifeline: Lifeline,
    end: Callable[[Served, str], Awaitable[aiohttp.ClientResponse]],
    code: str,
) -> None:
    async with site(tmp_path) as (app, _):
        client = Client(app, f"hang lifeline={lifeline.path}")
        await lifeline.pids(1)
        async with app.client.get("/jobs") as response:
            url = (await response.json())["jobs"][0]["resultUrl"]
        (await end(app, url)).release()
        _, answer = await client.waiting
        assert answer["error"]["code"] == code


@pytest.mark.parametrize(
    ("headers", "end", "code", "left"),
    [
        ({}, lambda app, url: app.client.post(f"{url}/cancel"), "cancelled", 3),
        ({RETRY_COUNT: "0"}, lambda app, url: app.client.delete(url), "gone", 2),
    ],
)
async def test_a_request_ends_with_the_first_of_its_jobs_that_makes_no_picture(
    tmp_path: Path,
    lifeline: Lifeline,
    headers: dict[str, str],
    end: Callable[[Served, str], Awaitable[aiohttp.ClientResponse]],
    *,
    code: str,
    left: int,
) -> None:
    hang = f"hang lifeline={lifeline.path}"
    async with site(tmp_path) as (app, seen):
        client = Client(app, hang, n=3, headers=headers)
        await lifeline.pids(1)
        await seen.until(hang, Change.QUEUED, 3)
        async with app.client.get("/jobs") as response:
            newest = (await response.json())["jobs"][0]["resultUrl"]
        (await end(app, newest)).release()
        _, answer = await client.waiting
        assert answer["error"]["code"] == code
        await seen.until(hang, Change.FINISHED, left)
        assert await statuses(app) == {hang: ["CANCELLED"] * left}
    assert seen.events.count((hang, Change.STARTED)) == 1


@pytest.mark.parametrize("more", [{}, {"stream": True}])
async def test_the_siblings_of_a_job_that_fails_are_cancelled(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    prompt = "crash_before"
    async with site(tmp_path, keep_abandoned=True) as (app, seen):
        _, answer = await Client(app, prompt, n=3, **more).waiting
        assert "script_failed" in str(answer)
        await seen.until(prompt, Change.FINISHED, 3)
        assert (await statuses(app))[prompt].count("CANCELLED") >= 1
