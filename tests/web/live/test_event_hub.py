"""What a client of event streams has yet to receive: bounded, the latest message of each job."""

from sdrest.engine.base import Progress
from sdrest.job_types import JobType
from sdrest.jobs.bus import Bus, Change, JobEvent
from sdrest.jobs.model import Job, JobKey, Snapshot, Status
from sdrest.web.live.event_hub import EventHub, Subscription


def event(
    number: int, change: Change = Change.PROGRESS, status: Status = Status.IN_PROGRESS
) -> JobEvent:
    key = JobKey(JobType.TEXT_TO_IMAGE, f"{number:032x}")
    job = Job(key, status, {}, 1, 0, 42, 1, created_at=1.0, started_at=2.0)
    return JobEvent(change, Snapshot(job, Progress(1, 0.5)))


async def numbers(subscription: Subscription) -> list[int]:
    """Return the numbers of the messages that a client has yet to receive."""
    return [message.number for message in await subscription.take(0)]


def has_ended(subscription: Subscription) -> bool:
    return subscription.ended


async def test_a_slow_client_receives_the_latest_state_of_each_job() -> None:
    bus = Bus()
    with EventHub(bus).subscribe(None) as subscription:
        for step in range(1000):
            bus.publish(event(step % 2))
        assert await numbers(subscription) == [999, 1000]
        assert await numbers(subscription) == []


async def test_a_client_that_keeps_up_receives_every_change() -> None:
    bus = Bus()
    with EventHub(bus).subscribe(None) as subscription:
        received = []
        for change in (Change.STARTED, Change.PROGRESS, Change.PROGRESS, Change.IMAGE):
            bus.publish(event(1, change))
            received += await numbers(subscription)
        assert received == [1, 2, 3, 4]


async def test_a_message_replaces_the_earlier_one_of_its_job_and_goes_behind_those_of_others() -> (
    None
):
    bus = Bus()
    with EventHub(bus).subscribe(None) as subscription:
        for job in (1, 2, 1, 3):
            bus.publish(event(job))
        assert await numbers(subscription) == [2, 3, 4]


async def test_a_preview_replaces_only_a_preview_and_is_replaced_by_news() -> None:
    bus = Bus()
    hub = EventHub(bus)
    with hub.subscribe(None) as slow:
        for change in (Change.STARTED, Change.PREVIEW, Change.PREVIEW):
            bus.publish(event(1, change))
        bus.publish(event(2, Change.PREVIEW))
        taken = [(one.key.id[-1], one.event.change) for one in await slow.take(0)]
        assert taken == [("1", Change.STARTED), ("1", Change.PREVIEW), ("2", Change.PREVIEW)]
        for change in (Change.PREVIEW, Change.IMAGE):
            bus.publish(event(1, change))
        assert [one.event.change for one in await slow.take(0)] == [Change.IMAGE]


async def test_previews_are_not_sent_again_and_push_nothing_else_out() -> None:
    bus = Bus()
    hub = EventHub(bus)
    bus.publish(event(1, Change.STARTED))
    server = hub.mark().partition("-")[0]
    with hub.subscribe(None) as subscription:
        for _ in range(2000):
            bus.publish(event(1, Change.PREVIEW))
        (preview,) = await subscription.take(0)
    assert preview.id == f"{server}-1-0"
    assert [one.event.change for one in hub.missed(f"{server}-0-0") or ()] == [Change.STARTED]
    bus.publish(event(1, Change.IMAGE))
    assert [one.event.change for one in hub.missed(preview.id) or ()] == [Change.IMAGE]


async def test_clients_at_different_places_receive_what_each_has_not() -> None:
    bus = Bus()
    hub = EventHub(bus)
    with hub.subscribe(None) as first:
        bus.publish(event(1))
        with hub.subscribe(None) as second:
            assert await numbers(second) == []
            bus.publish(event(2))
            assert (await numbers(first), await numbers(second)) == ([1, 2], [2])


async def test_a_client_that_misses_too_many_jobs_has_to_reconnect() -> None:
    bus = Bus()
    with EventHub(bus).subscribe(None) as subscription:
        for number in range(1024):
            bus.publish(event(number))
        assert not has_ended(subscription)
        for number in range(1024, 10_000):
            bus.publish(event(number))
        assert has_ended(subscription)
        assert await numbers(subscription) == []


async def test_a_client_that_follows_a_job_receives_its_deletion_and_not_its_end_before_that() -> (
    None
):
    bus = Bus()
    hub = EventHub(bus)
    started = event(1, Change.STARTED)
    key = started.snapshot.job.key
    end = event(1, Change.FINISHED, Status.CANCELLED)
    with hub.subscribe(key) as one, hub.subscribe(None) as everybody:
        bus.publish(JobEvent(end.change, end.snapshot, deleting=True))
        assert not has_ended(one)
        assert await numbers(everybody) == [1]
        bus.publish(event(1, Change.DELETED, Status.CANCELLED))
        assert has_ended(one)
        bus.publish(started)  # it was requeued
        assert (await numbers(one), await numbers(everybody)) == ([2], [3])
        with hub.subscribe(key) as again:
            bus.publish(event(1))
            assert await numbers(again) == [4]


async def test_an_id_of_another_server_or_of_long_ago_is_unknown() -> None:
    bus = Bus()
    hub = EventHub(bus)
    for number in range(2000):
        bus.publish(event(number))
    server = hub.mark().partition("-")[0]
    assert hub.missed("other-1-0") is None
    assert hub.missed(f"{server}-1-0") is None
    assert hub.missed("") is None
    assert [message.number for message in hub.missed(f"{server}-1998-0") or ()] == [1999, 2000]


async def test_after_close_every_subscription_has_ended() -> None:
    hub = EventHub(Bus())
    with hub.subscribe(None) as before:
        hub.close()
        with hub.subscribe(None) as after:
            assert (before.ended, after.ended) == (True, True)
            assert await before.take() == await after.take() == []
