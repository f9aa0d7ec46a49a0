"""Store webhooks of jobs and their undelivered messages.

The database writes a message in the transaction of the change that it is about: see the triggers
of the migration `0007_webhooks.sql`. It is there until a listener has taken it.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Self

from sdrest.jobs import rows, sql
from sdrest.jobs.database import Database
from sdrest.jobs.model import JobKey


@unique
class WebhookEvent(StrEnum):
    """What a listener may hear of a job."""

    STARTED = "started"
    IMAGE = "image"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


WebhookEvent.__doc__ = "What a listener may hear of a job."  # for schemas; -OO strips it


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the messages about a job go: `events` to `url`.

    `server` is the address of this server as its client sees it, with a prefix, without a slash.
    """

    url: str
    events: tuple[WebhookEvent, ...]
    server: str

    def dump(self) -> str:
        """Return the JSON of the row."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """Return what `dump` wrote."""
        fields = json.loads(text)
        return cls(fields["url"], tuple(map(WebhookEvent, fields["events"])), fields["server"])


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message to deliver. `message` identifies it in all its attempts.

    Times are seconds since the epoch; `attempts` have failed so far.
    """

    id: int
    message: str
    key: JobKey
    event: WebhookEvent
    webhook: Webhook
    created_at: float
    attempts: int


class Deliveries:
    """The messages in the job table; methods raise `StorageUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self) -> Sequence[Delivery]:
        """Return the messages whose time has come, the oldest first."""
        return await self._database.read(_due)

    async def next_due(self) -> float | None:
        """Return when the next message that waits is due, if one waits."""

        def find(connection: sqlite3.Connection) -> float | None:
            found: float | None = connection.execute(
                sql.NEXT_DELIVERY, {"now": time.time()}
            ).fetchone()[0]
            return found

        return await self._database.read(find)

    async def remove(self, delivery: Delivery) -> None:
        """Forget a message that was taken, or that is given up."""
        await self._database.write(
            lambda connection: connection.execute(sql.DELIVERED, {"id": delivery.id}).rowcount
        )

    async def postpone(self, delivery: Delivery, due_at: float) -> None:
        """Note that an attempt failed, and when the next one is due."""
        values = {"id": delivery.id, "due_at": due_at}
        await self._database.write(
            lambda connection: connection.execute(sql.POSTPONE_DELIVERY, values).rowcount
        )


def _due(connection: sqlite3.Connection) -> Sequence[Delivery]:
    return [
        Delivery(
            row["delivery"],
            row["message"],
            rows.key(row),
            WebhookEvent(row["event"]),
            Webhook.load(row["webhook"]),
            row["created_at"],
            row["attempts"],
        )
        for row in connection.execute(sql.DUE_DELIVERIES, {"now": time.time()})
    ]
