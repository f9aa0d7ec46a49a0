"""The messages of event streams, as bytes.

Every message has the whole state of its job, so a later one of the same job replaces an earlier
one. A message is encoded once, for all clients.
"""

from enum import StrEnum

from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey
from sdrest.web.responses.render import job_entry, json_body


class EventKind(StrEnum):
    """What an event of a stream is about: the `event` of its message."""

    STATUS = "status"
    PROGRESS = "progress"
    PREVIEW = "preview"
    IMAGE = "image"
    DELETED = "deleted"
    RESET = "reset"


_KINDS = {
    Change.PROGRESS: EventKind.PROGRESS,
    Change.PREVIEW: EventKind.PREVIEW,
    Change.IMAGE: EventKind.IMAGE,
    Change.DELETED: EventKind.DELETED,
}


HEARTBEAT = b": still here\n\n"
"""A comment, which clients ignore."""


class Message:
    """An event of a stream: its id is `SERVER-NUMBER-END`, END the time at which the job ended."""

    def __init__(self, server: str, number: int, event: JobEvent) -> None:
        self.number = number
        self.event = event
        self.id = f"{server}-{number}-{ended_at(event.snapshot.job)}"
        self._data: dict[str, bytes] = {}

    @property
    def key(self) -> JobKey:
        """The key of the job."""
        return self.event.snapshot.job.key

    @property
    def is_preview(self) -> bool:
        """Whether it says that there is another preview, and nothing else."""
        return self.event.change is Change.PREVIEW

    @property
    def final(self) -> bool:
        """Whether nothing more happens to the job, unless it is requeued."""
        return self.event.snapshot.job.status.final or self.event.change is Change.DELETED

    def data(self, prefix: str) -> bytes:
        """Return the message as bytes of a stream, with `prefix` before its paths; made once.

        One of a change of status has the job's parameters too.
        """
        if prefix not in self._data:
            self._data[prefix] = self._format(prefix)
        return self._data[prefix]

    def _format(self, prefix: str) -> bytes:
        kind = _KINDS.get(self.event.change, EventKind.STATUS)
        if kind is EventKind.DELETED:
            url = prefix + self.key.url
            entry = {"id": self.key.id, "resultUrl": url, "type": self.key.type}
        else:
            params = kind is EventKind.STATUS
            entry = job_entry(self.event.snapshot, params=params, prefix=prefix)
        return format_event(self.id, kind, json_body(entry))


def format_event(id_: str, kind: EventKind, data: bytes) -> bytes:
    """Return an event as bytes of a stream, as the HTML standard describes them."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), kind.encode(), data)


def ended_at(job: Job) -> int:
    """Return when a job came to its end, in milliseconds since the epoch; 0 if it has not."""
    return round((job.finished_at or job.created_at) * 1000) if job.status.final else 0
