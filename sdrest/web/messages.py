"""What event streams say, as bytes.

Every message tells all that a client may want to know of a job, so a later one of the same job can
take the place of an earlier one. A message is encoded once, whoever listens.
"""

from collections.abc import Sequence
from enum import StrEnum

from sdrest.jobs.bus import Change, JobEvent
from sdrest.jobs.model import Job, JobKey
from sdrest.web.render import job_entry, json_body


class EventKind(StrEnum):
    """What an event of a stream is about: the `event` of its message."""

    STATUS = "status"
    PROGRESS = "progress"
    IMAGE = "image"
    DELETED = "deleted"
    RESET = "reset"


_KINDS = {
    Change.PROGRESS: EventKind.PROGRESS,
    Change.IMAGE: EventKind.IMAGE,
    Change.DELETED: EventKind.DELETED,
}


class Frame:
    """Bytes of a stream, as they are and as an HTTP chunk; made once for all that get them."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self.chunk = b"%x\r\n%b\r\n" % (len(plain), plain) if plain else b""

    @classmethod
    def of(cls, frames: Sequence["Frame"]) -> "Frame":
        """Return frames as one."""
        return frames[0] if len(frames) == 1 else cls(b"".join([each.plain for each in frames]))


HEARTBEAT = Frame(b": still here\n\n")


class Message:
    """An event of a stream: its id is `SERVER-NUMBER-END`, END the time at which the job ended."""

    def __init__(self, server: str, number: int, event: JobEvent) -> None:
        self.number = number
        self.event = event
        self.id = f"{server}-{number}-{ended_at(event.snapshot.job)}"
        self._frames: dict[str, Frame] = {}

    @property
    def key(self) -> JobKey:
        """The key of the job."""
        return self.event.snapshot.job.key

    @property
    def final(self) -> bool:
        """Whether there will be no more of the job, unless it is asked for again."""
        return self.event.snapshot.job.status.final or self.event.change is Change.DELETED

    def replaces(self, other: "Message") -> bool:
        """Whether nobody who gets this needs `other`, which came before: a step of the same job."""
        steps = self.event.change is other.event.change is Change.PROGRESS
        return steps and self.key == other.key

    def frame(self, prefix: str) -> Frame:
        """Return the event, whose paths begin with `prefix`; made once for all that get it."""
        if prefix not in self._frames:
            self._frames[prefix] = self._make_frame(prefix)
        return self._frames[prefix]

    def _make_frame(self, prefix: str) -> Frame:
        """Return the event; one of a change of status contains the parameters too."""
        kind = _KINDS.get(self.event.change, EventKind.STATUS)
        if kind is EventKind.DELETED:
            url = prefix + self.key.url
            entry = {"id": self.key.id, "resultUrl": url, "type": self.key.type}
        else:
            params = kind is EventKind.STATUS
            entry = job_entry(self.event.snapshot, params=params, prefix=prefix)
        return told(self.id, kind, json_body(entry))


def told(id_: str, kind: EventKind, data: bytes) -> Frame:
    """Return an event as the bytes of a stream."""
    return Frame(b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), kind.encode(), data))


def ended_at(job: Job) -> int:
    """Return when a job came to its end, in milliseconds since the epoch; 0 if it has not."""
    return round((job.finished_at or job.created_at) * 1000) if job.status.final else 0
