"""Jobs that were lost with their machines: each gets the next one for itself.

Jobs that share a worker are lost together, though one of them alone may be what it died of.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sdrest.engine.base import Need
from sdrest.engine.cluster.assignment import Place, filled

_LOSSES = 2
"""Losses of a job after which it runs alone on its machine."""


class Suspects:
    """Counts losses by the ids of jobs. `waiting` are suspects that wait for an idle machine."""

    def __init__(self) -> None:
        self.waiting: dict[str, Need] = {}
        self._losses: Counter[str] = Counter()
        self._machines: set[str] = set()

    def __contains__(self, job: str) -> bool:
        return self._losses[job] >= _LOSSES

    def note(self, job: str, *, lost: bool) -> None:
        """Note how a run of a job ended."""
        if lost:
            self._losses[job] += 1
        else:
            self._losses.pop(job, None)

    @contextmanager
    def alone(self, machine: str) -> Iterator[None]:
        """Keep a machine from other jobs while the context lasts."""
        self._machines.add(machine)
        try:
            yield
        finally:
            self._machines.remove(machine)

    def without_room(self, places: Iterable[Place]) -> Sequence[Place]:
        """Return machines; one that runs a suspect is full."""
        return [filled(one) if one.key in self._machines else one for one in places]
