"""The bus of job events, which event streams, log lines, metrics and waiting requests read."""

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
    """The first one, at 0, says that the script has loaded its model."""
    PREVIEW = auto()
    """Has another preview; see the snapshot's `preview`."""
    IMAGE = auto()
    FINISHED = auto()
    """Reached its end; see the snapshot's status."""
    WAITING = auto()
    """Waits for the disk; see the snapshot's `waiting`."""
    FILES_CHANGED = auto()
    """Images of a job at its end are gone, or are back; the status has changed with them."""
    REQUEUED = auto()
    """Was interrupted; it is in its old place in the queue."""
    MARKED = auto()
    """An image is a favourite, or no longer."""
    DELETED = auto()
    """Is removed; the snapshot is its last one."""
    DELETE_FAILED = auto()
    """Could not be deleted; the snapshot is its present one."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change, and the job as it is after it.

    `warm`: the process of the job's script had run other scripts before. `deleting`: the job is
    being deleted; DELETED or DELETE_FAILED follows.
    """

    change: Change
    snapshot: Snapshot
    warm: bool = False
    deleting: bool = False


Listener = Callable[[JobEvent], None]


class Bus:
    """Passes events to listeners, at once and in order, on the event loop's thread."""

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    def publish(self, event: JobEvent) -> None:
        """Call every listener; log an error of one and go on with the next."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 (logged; whoever published goes on)
                _log.exception("A listener failed on %s", event.change)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return a function that removes it (a second call does nothing)."""
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe
