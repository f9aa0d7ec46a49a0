"""Listeners of jobs."""

import logging

import pytest

from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, Snapshot, Status
from tests.support.jobs import text_key


def event(change: Change) -> JobEvent:
    job = Job(
        key=text_key("a"),
        status=Status.QUEUED,
        params={},
        total_images=1,
        images=0,
        seed=0,
        attempts=0,
        created_at=0,
    )
    return JobEvent(change, Snapshot(job))


def test_listeners_hear_events_in_order_until_they_leave() -> None:
    bus = Bus()
    first: list[JobEvent] = []
    second: list[JobEvent] = []
    leave = bus.subscribe(first.append)
    bus.subscribe(second.append)
    bus.publish(event(Change.QUEUED))
    leave()
    leave()
    bus.publish(event(Change.STARTED))
    assert [heard.change for heard in first] == [Change.QUEUED]
    assert [heard.change for heard in second] == [Change.QUEUED, Change.STARTED]


def test_one_listener_may_listen_twice() -> None:
    bus = Bus()
    heard: list[JobEvent] = []
    leave = bus.subscribe(heard.append)
    bus.subscribe(heard.append)
    leave()
    bus.publish(event(Change.QUEUED))
    assert len(heard) == 1


def test_a_listener_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus()
    heard: list[JobEvent] = []

    def fail(_: JobEvent) -> None:
        raise ZeroDivisionError

    bus.subscribe(fail)
    bus.subscribe(heard.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(event(Change.FINISHED))
    assert len(heard) == 1
    assert "finished" in caplog.text


def test_a_listener_may_leave_while_it_listens() -> None:
    bus = Bus()
    heard: list[JobEvent] = []

    def once(happened: JobEvent) -> None:
        heard.append(happened)
        leave()

    leave = bus.subscribe(once)
    bus.publish(event(Change.QUEUED))
    bus.publish(event(Change.STARTED))
    assert len(heard) == 1
