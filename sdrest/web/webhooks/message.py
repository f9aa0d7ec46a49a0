"""What a message says, its signature, and when it is sent again. Pure.

Messages follow Standard Webhooks (https://www.standardwebhooks.com): the headers `webhook-id`,
`webhook-timestamp` and, with a secret, `webhook-signature`.
"""

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook as Signer

from sdrest import __version__
from sdrest.errors import UsageError
from sdrest.jobs.model import Snapshot
from sdrest.jobs.webhooks import Delivery
from sdrest.web.responses.render import iso_time, job_entry, json_body

DAY = 86_400.0
"""Seconds after which a message is given up."""

_FACTOR = 3.0
_LONGEST_PAUSE = 4 * 3600.0
_SECRET_BYTES = range(24, 65)


def signer(secret: str) -> Signer | None:
    """Return what signs messages; None without a secret. Raises `UsageError` for a wrong one."""
    if not secret:
        return None
    try:
        key = binascii.a2b_base64(secret.removeprefix("whsec_"), strict_mode=True)
    except ValueError:
        key = b""
    if len(key) not in _SECRET_BYTES:
        raise UsageError(
            "--webhook-secret is not whsec_ and 24 to 64 bytes in base64. Make one with: "
            "echo whsec_$(openssl rand -base64 32)"
        )
    return Signer(secret)


def body(delivery: Delivery, snapshot: Snapshot) -> bytes:
    """Return the JSON of a message: the event, when it happened, and the job as it is now.

    The paths in the job are whole addresses.
    """
    message = {
        "type": f"job.{delivery.event}",
        "timestamp": iso_time(delivery.created_at),
        "data": job_entry(snapshot, prefix=delivery.webhook.server),
    }
    return json_body(message)


def headers(message: str, content: bytes, now: float, signer: Signer | None) -> Mapping[str, str]:
    """Return the headers of an attempt at `now`, in seconds since the epoch."""
    moment = datetime.fromtimestamp(int(now), UTC)
    found = {
        "Content-Type": "application/json",
        "User-Agent": f"sdrest/{__version__}",
        "webhook-id": f"msg_{message}",
        "webhook-timestamp": str(int(now)),
    }
    if signer is not None:
        found["webhook-signature"] = signer.sign(f"msg_{message}", moment, content.decode())
    return found


def next_attempt(delivery: Delivery, now: float, first_pause: float) -> float | None:
    """Return when a message is sent again whose attempt failed at `now`; None: it is given up.

    The pauses grow from `first_pause` seconds by the factor 3 to four hours, for a day.
    """
    pause = min(first_pause * _FACTOR**delivery.attempts, _LONGEST_PAUSE)
    return now + pause if now + pause < delivery.created_at + DAY else None
