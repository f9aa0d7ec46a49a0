"""What waits for a listener is bounded, and what is left of it is the newest."""

from dataclasses import dataclass, field

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status
from sdrest.params import JobType
from sdrest.web.feeds import Feeds
from sdrest.web.listeners import Stream
from sdrest.web.messages import Frame


@dataclass
class SlowClient:
    """A client that has not taken `unread` bytes yet."""

    unread: int = 0
    gone: bool = False
    written: list[bytes] = field(default_factory=list)

    def write(self, frame: Frame) -> None:
        self.written.append(frame.plain)

    def abort(self) -> None:
        self.gone = True


def progress(number: int, fraction: float) -> JobEvent:
    key = JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}")
    job = Job(key, Status.IN_PROGRESS, {}, 1, 0, 42, 1, created_at=1.0, started_at=2.0)
    return JobEvent(Change.PROGRESS, Snapshot(job, Position(1, fraction)))


def opened(stream: Stream, client: SlowClient) -> None:
    stream.open(client, [Frame(b"")])
    assert stream.flush()
    client.written.clear()


async def test_a_slow_listener_gets_the_last_state_of_each_job() -> None:
    bus, client = Bus(), SlowClient()
    feeds = Feeds(bus)
    with feeds.stream(None) as stream:
        opened(stream, client)
        client.unread = 10**6
        for step in range(1, 1001):
            bus.publish(progress(step % 2, step / 1001))
            assert not stream.flush()
        assert client.written == []
        client.unread = 0
        assert stream.flush()
    (batch,) = client.written
    assert 2 <= batch.count(b"event: progress") <= 32
    assert b"-1000-0" in batch.splitlines()[-4]
    feeds.close()


async def test_a_listener_that_misses_too_many_jobs_has_to_come_again() -> None:
    bus, client = Bus(), SlowClient()
    feeds = Feeds(bus)
    with feeds.stream(None) as stream:
        opened(stream, client)
        for number in range(5000):
            bus.publish(progress(number, 0.5))
        assert stream.flush()
        assert client.written == []
        await stream.ended()
    feeds.close()


async def test_a_client_that_is_behind_does_not_hold_up_a_stop() -> None:
    bus, client = Bus(), SlowClient()
    feeds = Feeds(bus)
    with feeds.stream(None) as stream:
        opened(stream, client)
        client.unread = 10**6
        bus.publish(progress(1, 0.5))
        feeds.close()
        await stream.ended()
    assert client.gone


async def test_an_id_of_another_server_or_of_long_ago_is_unknown() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    for number in range(2000):
        bus.publish(progress(number, 0.5))
    server = feeds._server
    assert feeds.missed("other-1-0") is None
    assert feeds.missed(f"{server}-1-0") is None
    assert feeds.missed("") is None
    assert [message.number for message in feeds.missed(f"{server}-1998-0") or ()] == [1999, 2000]
