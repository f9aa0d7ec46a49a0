"""What was made lately and may be asked for again: bounded, the oldest goes first. Pure."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from sdrest.jobs.model import JobKey, Snapshot
from sdrest.web.conditional import body_etag
from sdrest.web.render import job_body

_KEPT = 256
"""As many as the store keeps rows in memory."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of at most `limit` entries; the one that was not used for longest is forgotten."""

    def __init__(self, limit: int = _KEPT) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return an entry, which counts as a use of it."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> None:
        """Add or replace an entry."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)


class RecentBytes(Generic[K]):
    """A mapping to bytes of at most `limit` in all; what was not used for longest is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._entries: OrderedDict[K, bytes] = OrderedDict()

    def get(self, key: K) -> bytes | None:
        """Return an entry, which counts as a use of it."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: bytes) -> None:
        """Add or replace an entry; one that is larger than all may be is not kept."""
        self._total += len(value) - len(self._entries.pop(key, b""))
        self._entries[key] = value
        while self._total > self._limit:
            _, forgotten = self._entries.popitem(last=False)
            self._total -= len(forgotten)


class Answers:
    """The bytes of status answers with their validators.

    Nothing has to be invalidated: an answer is used again for the very row object that it was made
    of, at the same position and rank, with the same files. Rows are immutable, and a changed row is
    another object.
    """

    def __init__(self) -> None:
        self._made: Recent[tuple[JobKey, str], tuple[Snapshot, bytes, str]] = Recent()

    def of(self, snapshot: Snapshot, prefix: str = "") -> tuple[bytes, str]:
        """Return the body for a snapshot, whose paths begin with `prefix`, and its ETag."""
        job = snapshot.job
        found = self._made.get((job.key, prefix))
        if found is not None:
            made, body, etag = found
            if (
                made.job is job
                and made.position == snapshot.position
                and made.rank == snapshot.rank
                and made.waiting == snapshot.waiting
                and made.missing == snapshot.missing
            ):
                return body, etag
        body = job_body(snapshot, prefix)
        etag = body_etag(body)
        self._made.put((job.key, prefix), (snapshot, body, etag))
        return body, etag
