"""What waits for a listener is bounded, and what is left of it is the newest."""

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status
from sdrest.params import JobType
from sdrest.web.feeds import Feeds


def progress(number: int, fraction: float) -> JobEvent:
    key = JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}")
    job = Job(key, Status.IN_PROGRESS, {}, 1, 0, 42, 1, created_at=1.0, started_at=2.0)
    return JobEvent(Change.PROGRESS, Snapshot(job, Position(1, fraction)))


async def test_a_slow_listener_gets_the_last_state_of_each_job() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    with feeds.listener(None) as listener:
        for step in range(1, 1001):
            bus.publish(progress(step % 2, step / 1001))
        batch = await listener.next()
    assert batch is not None
    assert batch.count(b"event: progress") <= 32
    assert batch.rstrip().splitlines()[0].startswith(b"id: ")
    assert b"-1000-0" in batch.splitlines()[-4]


async def test_a_listener_that_misses_too_many_jobs_has_to_come_again() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    with feeds.listener(None) as listener:
        for number in range(2000):
            bus.publish(progress(number, 0.5))
            if listener._closed:
                break
        assert await listener.next() is None


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
