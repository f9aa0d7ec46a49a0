"""Webhooks with a listener that really listens: signed, repeated, across restarts, beside jobs."""

import asyncio
import json
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier

from sdrest.jobs.bus import Change
from sdrest.web.webhooks.addresses import PrivateAddressError, PublicResolver
from tests.support.web import PATIENCE, Served, served

pytestmark = pytest.mark.integration

SECRET = "whsec_" + "c2VjcmV0" * 4
PAUSE = 0.05


@dataclass
class Listener:
    """A listener that answers each message with the next of `statuses`, the last one for good."""

    port: int
    statuses: list[int] = field(default_factory=lambda: [200])
    messages: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def take(self, request: web.Request) -> web.Response:
        self.messages.append((dict(request.headers), await request.read()))
        self.arrived.set()
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": f"{self.url}/elsewhere"})

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Return the contents of the messages once there are `count`."""
        async with asyncio.timeout(PATIENCE):
            while len(self.messages) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return [json.loads(body) for _, body in self.messages]


def bound() -> socket.socket:
    """Return a socket with a port of its own, at which nobody listens yet."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    return made


@asynccontextmanager
async def listening(
    at: socket.socket | None = None, statuses: list[int] | None = None
) -> AsyncIterator[Listener]:
    place = at or bound()
    listener = Listener(place.getsockname()[1], statuses or [200])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, place).start()
    try:
        yield listener
    finally:
        await runner.cleanup()


async def post(site: Served, **fields: Any) -> str:
    body = {"prompt": "paint images=2", "iterations": 2, **fields}
    return await site.job("/text-to-image", json=body)


def pending(folder: Path) -> int:
    """Return how many messages wait in the table of a server."""
    with closing(sqlite3.connect(folder / "output" / ".sdrest" / "jobs.sqlite3")) as table:
        return int(table.execute("SELECT count(*) FROM deliveries").fetchone()[0])


async def none_pending(folder: Path) -> None:
    """Wait until the server has noted that every message was taken, which it sends again else."""
    async with asyncio.timeout(PATIENCE):
        while pending(folder):  # noqa: ASYNC110 (the table tells of no event)
            await asyncio.sleep(0.01)


class Record(logging.Handler):
    """Waits for what the sender logs."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.came = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()
        self.came.set()


async def test_every_event_is_delivered_in_order_and_signed(tmp_path: Path) -> None:
    events = ["started", "image", "complete", "failed"]
    async with (
        listening() as listener,
        served(tmp_path, webhook_private=True, webhook_secret=SECRET) as site,
    ):
        url = await post(site, webhook=listener.url, webhookEvents=events)
        messages = await listener.until(4)
        await none_pending(tmp_path)
        origin = f"http://127.0.0.1:{site.port}"
    assert [message["type"] for message in messages] == [
        "job.started", "job.image", "job.image", "job.complete",
    ]  # fmt: skip
    last = messages[-1]["data"]
    assert last["status"] == "COMPLETE"
    assert last["resultUrl"] == f"{origin}{url}"
    assert last["imageUrls"] == [f"{origin}{url}/1.png", f"{origin}{url}/2.png"]
    assert last["params"]["prompt"] == "paint images=2"
    assert "webhook" not in json.dumps(last["params"])
    for headers, body in listener.messages:
        assert Verifier(SECRET).verify(body, dict(headers)) is not None
    assert len({headers["webhook-id"] for headers, _ in listener.messages}) == 4


async def test_without_events_the_end_is_delivered_and_without_a_secret_it_is_not_signed(
    tmp_path: Path,
) -> None:
    async with listening() as listener, served(tmp_path, webhook_private=True) as site:
        async with site.client.post(
            "/text-to-image", data={"prompt": "crash_before", "webhook": listener.url}
        ) as response:
            assert response.status == 200
        (message,) = await listener.until(1)
        await none_pending(tmp_path)
    assert message["type"] == "job.failed"
    assert message["data"]["error"]["code"]
    assert "webhook-signature" not in {name.lower() for name in listener.messages[0][0]}


@pytest.mark.parametrize("statuses", [[500, 302, 404, 204], [302, 200]])
async def test_a_message_that_is_not_taken_is_sent_again_and_no_redirect_is_followed(
    tmp_path: Path, statuses: list[int]
) -> None:
    async with (
        listening(statuses=[*statuses]) as listener,
        served(tmp_path, webhook_private=True, webhook_pause=PAUSE) as site,
    ):
        await post(site, webhook=listener.url)
        await listener.until(len(statuses))
        await none_pending(tmp_path)
    assert len(listener.messages) == len(statuses)
    assert len({headers["webhook-id"] for headers, _ in listener.messages}) == 1


async def test_a_listener_that_wants_no_more_gets_no_more(tmp_path: Path) -> None:
    async with (
        listening(statuses=[410]) as listener,
        served(tmp_path, webhook_private=True, webhook_pause=PAUSE) as site,
    ):
        await post(site, webhook=listener.url)
        await none_pending(tmp_path)
    assert len(listener.messages) == 1


async def test_messages_outlive_the_server(tmp_path: Path) -> None:
    flags = {"webhook_private": True, "webhook_pause": PAUSE}
    place = bound()
    async with served(tmp_path, **flags) as site:
        url = await post(site, webhook=f"http://127.0.0.1:{place.getsockname()[1]}/hook")
    async with listening(place) as listener, served(tmp_path, **flags) as site:
        (message,) = await listener.until(1)
        assert message["data"]["id"] == url.rpartition("/")[2]
        await none_pending(tmp_path)


async def test_a_listener_that_never_answers_delays_neither_jobs_nor_others(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://localhost:{silent.getsockname()[1]}"
        async with listening() as listener, served(tmp_path, webhook_private=True) as site:
            for number in range(6):
                await post(site, prompt="paint images=1", seed=number, iterations=1, webhook=host)
            await post(site, webhook=listener.url)
            (message,) = await listener.until(1)
    assert message["type"] == "job.complete"


async def test_messages_of_a_deleted_job_are_forgotten(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with served(tmp_path, webhook_private=True) as site:
            url = await post(site, webhook=host)
            async with site.client.delete(url) as response:
                assert response.status == 204
    assert pending(tmp_path) == 0


async def test_a_name_of_this_machine_is_not_asked() -> None:
    with pytest.raises(PrivateAddressError):
        await PublicResolver(private=False).resolve("localhost", 80, socket.AF_UNSPEC)
    assert await PublicResolver(private=True).resolve("localhost", 80, socket.AF_UNSPEC)


async def test_the_log_has_the_origin_of_a_webhook_only(tmp_path: Path) -> None:
    logger, record = logging.getLogger("sdrest.web.webhooks.sender"), Record()
    logger.addHandler(record)
    async with served(tmp_path) as site:
        await post(site, webhook="https://nobody.invalid/secret")
        async with asyncio.timeout(PATIENCE):
            await record.came.wait()
    logger.removeHandler(record)
    assert "https://nobody.invalid did not take a message" in record.text
    assert "secret" not in record.text
    assert pending(tmp_path) == 1


async def test_a_webhook_that_is_private_since_a_restart_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with served(tmp_path, webhook_private=True) as site:
            await post(site, webhook=url)
    logger, record = logging.getLogger("sdrest.web.webhooks.sender"), Record()
    logger.addHandler(record)
    async with served(tmp_path), asyncio.timeout(PATIENCE):
        await record.came.wait()
    logger.removeHandler(record)
    assert "private network" in record.text
    assert pending(tmp_path) == 0


async def test_no_message_arrives_twice_that_was_taken(tmp_path: Path) -> None:
    count = 12
    async with listening() as listener, served(tmp_path, webhook_private=True) as site:
        for seed in range(count):
            await post(
                site,
                seed=seed,
                prompt="paint",
                iterations=1,
                webhook=listener.url,
                webhookEvents="started,image,complete",
            )
        await listener.until(3 * count)
        await none_pending(tmp_path)
    ids = [headers["webhook-id"] for headers, _ in listener.messages]
    assert len(set(ids)) == len(ids) == 3 * count


async def test_the_same_request_again_keeps_its_webhook(tmp_path: Path) -> None:
    async with listening() as listener, served(tmp_path, webhook_private=True) as site:
        body = {"prompt": "crash_before", "webhook": listener.url}
        url = await site.job("/text-to-image", json=body)
        async with site.client.post(f"{url}/retry", allow_redirects=False) as response:
            assert response.status == 302
        await site.until(url, Change.FINISHED)
        messages = await listener.until(2)
    assert [message["type"] for message in messages] == ["job.failed"] * 2
