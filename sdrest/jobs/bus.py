"""Who listens to jobs. One event serves status answers, event streams, log lines and metrics."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto, unique

from sdrest.jobs.model import Snapshot

_log = logging.getLogger(__name__)


@unique
class Change(StrEnum):
    """What happened to a job."""

    QUEUED = auto()
    STARTED = auto()
    PROGRESS = auto()
    """The first one, where nothing is done, says that the script has loaded its model."""
    IMAGE = auto()
    FINISHED = auto()
    """Came to an end; the snapshot's status tells which."""
    WAITING = auto()
    """Cannot go on for now; the snapshot says why."""
    FILES_CHANGED = auto()
    """Images of a job at its end are gone, or are back; the snapshot's status follows."""
    REQUEUED = auto()
    """Was interrupted and waits again."""
    DELETED = auto()
    """Is gone for good; the snapshot is the last that there was."""
    DELETE_FAILED = auto()
    """Should have been deleted, which failed; the snapshot's status tells how it is now."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change, and the job as it is after it.

    `warm` tells of a job that runs or ran whether its script's process had run others before.
    `deleting`: the job is being deleted; DELETED or KEPT will tell how that ended.
    """

    change: Change
    snapshot: Snapshot
    warm: bool = False
    deleting: bool = False


Listener = Callable[[JobEvent], None]


class Bus:
    """Tells listeners of events, at once and in order, on the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def publish(self, event: JobEvent) -> None:
        """Call every listener; one that fails is logged and harms nobody."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 (logged; whoever published goes on)
                _log.exception("A listener failed on %s", event.change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return what removes it (a second call does nothing)."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe
