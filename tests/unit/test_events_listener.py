"""What waits for a listener is bounded, and what is left of it is the newest."""

import asyncio
import re

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Position, Snapshot, Status
from sdrest.params import JobType
from sdrest.web.feeds import Feeds
from sdrest.web.listeners import Listener, Stream, Topic
from sdrest.web.rounds import Rounds

IDS = re.compile(rb"^id: [0-9a-f]+-([0-9]+)-", re.MULTILINE)


def event(
    number: int, change: Change = Change.PROGRESS, status: Status = Status.IN_PROGRESS
) -> JobEvent:
    key = JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}")
    job = Job(key, status, {}, 1, 0, 42, 1, created_at=1.0, started_at=2.0)
    return JobEvent(change, Snapshot(job, Position(1, 0.5)))


def heard(stream: Stream) -> list[int]:
    """Return the numbers of the messages that a stream has yet to send."""
    news = stream.topic.after(stream.number)
    return [int(number) for number in IDS.findall(news.plain)] if news else []


def has_ended(stream: Stream) -> bool:
    return stream.topic.closed


async def test_a_slow_listener_gets_the_last_state_of_each_job() -> None:
    bus = Bus()
    with Feeds(bus).stream(None) as stream:
        for step in range(1000):
            bus.publish(event(step % 2))
        numbers = heard(stream)
    assert len(numbers) <= 64
    assert numbers[-2:] == [999, 1000]


async def test_steps_of_a_job_are_one_for_a_listener_that_has_not_heard_them() -> None:
    bus = Bus()
    with Feeds(bus).stream(None) as stream:
        for change in (Change.STARTED, Change.PROGRESS, Change.PROGRESS, Change.IMAGE):
            bus.publish(event(1, change))
        assert heard(stream) == [1, 3, 4]
        stream.number = 2  # it had the first step
        assert heard(stream) == [3, 4]


async def test_listeners_at_different_places_get_what_each_has_not_heard() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    with feeds.stream(None) as first:
        bus.publish(event(1))
        with feeds.stream(None) as second:
            assert heard(second) == []
            bus.publish(event(2))
            assert (heard(first), heard(second)) == ([1, 2], [2])


async def test_a_listener_that_misses_too_many_jobs_has_to_come_again() -> None:
    bus = Bus()
    with Feeds(bus).stream(None) as stream:
        for number in range(1024):
            bus.publish(event(number))
        assert not stream.topic.has_lost(stream.number)
        for number in range(1024, 10_000):
            bus.publish(event(number))
        assert stream.topic.has_lost(stream.number)
        assert len(heard(stream)) <= 2 * 1024 + 1


async def test_who_follows_a_job_hears_of_its_deletion_and_not_of_its_end_on_the_way() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    started = event(1, Change.STARTED)
    key = started.snapshot.job.key
    end = event(1, Change.FINISHED, Status.CANCELLED)
    with feeds.stream(key) as one, feeds.stream(None) as everybody:
        bus.publish(JobEvent(end.change, end.snapshot, leaving=True))
        assert not has_ended(one)
        bus.publish(event(1, Change.DELETED, Status.CANCELLED))
        assert has_ended(one)
        assert (heard(one), heard(everybody)) == ([2], [1, 2])
        bus.publish(started)  # it was asked for again
        assert heard(one) == [2]
        with feeds.stream(key) as again:
            bus.publish(event(1))
            assert heard(again) == [4]


async def test_an_id_of_another_server_or_of_long_ago_is_unknown() -> None:
    bus = Bus()
    feeds = Feeds(bus)
    for number in range(2000):
        bus.publish(event(number))
    server = feeds.mark().partition("-")[0]
    assert feeds.missed("other-1-0") is None
    assert feeds.missed(f"{server}-1-0") is None
    assert feeds.missed("") is None
    assert [message.number for message in feeds.missed(f"{server}-1998-0") or ()] == [1999, 2000]


class Turn(Listener):
    """Somebody whose turn is a future, which fails if it is told to."""

    def __init__(self, topic: Topic, *, fails: bool) -> None:
        super().__init__(topic)
        self.had = asyncio.get_running_loop().create_future()
        self._fails = fails

    def flush(self) -> bool:
        if self._fails:
            raise ZeroDivisionError
        self.had.set_result(None)
        return True

    def beat(self) -> None: ...

    def stop(self) -> None: ...


async def test_a_turn_that_fails_harms_nobody_and_is_logged() -> None:
    loop = asyncio.get_running_loop()
    logged: list[BaseException] = []
    loop.set_exception_handler(lambda _, context: logged.append(context["exception"]))
    rounds, topic = Rounds(), Topic(0, one_job=False)
    rounds.add(Turn(topic, fails=True))
    sound = Turn(topic, fails=False)
    loop.call_soon(rounds.add, sound)
    async with asyncio.timeout(10):
        await sound.had
    assert [type(error) for error in logged] == [ZeroDivisionError]
