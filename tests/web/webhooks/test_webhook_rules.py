"""What a request may say of webhooks, which addresses they have, when messages are sent again."""

from dataclasses import replace
from typing import Any

import pytest

from sdrest.errors import UsageError
from sdrest.job_types import JobType
from sdrest.jobs.model import JobKey
from sdrest.jobs.webhooks import Delivery, Webhook, WebhookEvent
from sdrest.web.webhooks import fields, message
from sdrest.web.webhooks.addresses import is_public

SERVER = "https://localhost:8888"
URL = "https://example.org/hook?key=1"
DELIVERY = Delivery(
    1, "a", JobKey(JobType.TEXT_TO_IMAGE, "0" * 32), WebhookEvent.COMPLETE,
    Webhook(URL, fields.ENDS, SERVER), 1000.0, 0,
)  # fmt: skip


@pytest.mark.parametrize("none", [{}, {"webhook": ""}, {"webhook": None}, {"webhook": False}])
def test_no_webhook(none: dict[str, Any]) -> None:
    assert fields.read(none, SERVER, private=False) == (None, [])


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        (None, ("complete", "failed", "cancelled")),
        ("", ("complete", "failed", "cancelled")),
        ([], ("complete", "failed", "cancelled")),
        ("started", ("started",)),
        ("complete, image", ("image", "complete")),
        (["cancelled", "started"], ("started", "cancelled")),
    ],
)
def test_events(events: Any, wanted: tuple[str, ...]) -> None:
    found, errors = fields.read({"webhook": URL, "webhookEvents": events}, SERVER, private=False)
    assert (found, errors) == (Webhook(URL, tuple(map(WebhookEvent, wanted)), SERVER), [])
    assert found is not None
    assert Webhook.load(found.dump()) == found


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"webhook": "ftp://example.org"}, "webhook"),
        ({"webhook": "example.org/hook"}, "webhook"),
        ({"webhook": "http://"}, "webhook"),
        ({"webhook": "http://[::1"}, "webhook"),
        ({"webhook": 5}, "webhook"),
        ({"webhook": True}, "webhook"),
        ({"webhook": [URL]}, "webhook"),
        ({"webhook": URL + "x" * 2000}, "webhook"),
        ({"webhook": "http://127.0.0.1/"}, "webhook"),
        ({"webhook": "http://LocalHost./"}, "webhook"),
        ({"webhook": "https://[::1]/"}, "webhook"),
        ({"webhook": "https://[::ffff:10.0.0.1]/"}, "webhook"),
        ({"webhook": "https://192.168.1.2/"}, "webhook"),
        ({"webhook": "https://169.254.169.254/latest"}, "webhook"),
        ({"webhook": "http://[64:ff9b::7f00:1]/"}, "webhook"),
        ({"webhook": "http://[::127.0.0.1]/"}, "webhook"),
        ({"webhook": "http://[2002:7f00:1::]/"}, "webhook"),
        ({"webhook": "http://224.0.0.1/"}, "webhook"),
        ({"webhook": "http://foo.localhost/"}, "webhook"),
        ({"webhook": "http://0x7f000001:9190/"}, "webhook"),
        ({"webhook": "http://2130706433/"}, "webhook"),
        ({"webhook": "http://127.1/"}, "webhook"),
        ({"webhook": "http://0177.0.0.1/"}, "webhook"),
        ({"webhook": "http://ex ample.org/"}, "webhook"),
        ({"webhook": "https://example.org:0/"}, "webhook"),
        ({"webhook": "https://example.org/a\r\nX-Injected: y"}, "webhook"),
        ({"webhook": URL, "webhookEvents": "done"}, "webhookEvents"),
        ({"webhookEvents": "done"}, "webhookEvents"),
        ({"webhook": URL, "webhookEvents": ["complete", 5]}, "webhookEvents"),
        ({"webhook": URL, "webhookEvents": {"a": 1}}, "webhookEvents"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], field: str) -> None:
    found, errors = fields.read(given, SERVER, private=False)
    assert found is None
    assert [error.field for error in errors] == [field]


def test_private_addresses_may_be_allowed() -> None:
    found, errors = fields.read({"webhook": "http://10.0.0.1/x"}, SERVER, private=True)
    assert found is not None
    assert not errors


@pytest.mark.parametrize(
    ("host", "public"),
    [("8.8.8.8", True), ("2606:4700::1111", True), ("example.org", True), ("0.0.0.0", False),
     ("100.64.0.1", False), ("fe80::1", False), ("fc00::1", False), ("localhost", False)],
)  # fmt: skip
def test_public_addresses(host: str, public: bool) -> None:
    assert is_public(host) is public


def test_the_pauses_grow_for_a_day() -> None:
    now, times, delivery = 1000.0, [], DELIVERY
    while (due := message.next_attempt(delivery, now, 5.0)) is not None:
        times.append(due - now)
        now, delivery = due, replace(delivery, attempts=delivery.attempts + 1)
    assert times[:4] == [5.0, 15.0, 45.0, 135.0]
    assert max(times) == 4 * 3600
    assert now - 1000.0 > message.DAY - 4 * 3600
    assert now - 1000.0 < message.DAY


@pytest.mark.parametrize("secret", ["x", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "YWJj" * 40, "ü"])
def test_a_wrong_secret_is_refused(secret: str) -> None:
    with pytest.raises(UsageError, match="--webhook-secret"):
        message.signer(secret)
