"""Which worker gets a job. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sdrest.engine.base import Need
from sdrest.engine.workers import Offer
from sdrest.job_types import JobType


@dataclass(frozen=True, slots=True)
class Place:
    """A machine that runs jobs, and how many it runs of those that it may at once.

    `key` is the address of a worker, empty for this machine. `loaded` are the files of the
    checkpoints in its memory. A machine that is about to stop takes none.
    """

    key: str
    offer: Offer
    running: int = 0
    loaded: Collection[str] = ()
    draining: bool = False

    @property
    def free(self) -> int:
        """How many more jobs it may run."""
        return 0 if self.draining else max(0, self.offer.capacity - self.running)


def usable(places: Iterable[Place]) -> Sequence[Place]:
    """Return the machines that jobs may run on.

    The bundled engine, which draws simple scenes, is not used where another one is.
    """
    found = list(places)
    real = [place for place in found if not place.offer.bundled]
    return real or found


def can_run(offer: Offer, need: Need) -> bool:
    """Whether a machine has what a job needs."""
    if need.model:
        return any(one.file == need.model and need.type in one.types for one in offer.models)
    return need.type not in offer.problems


def choose(places: Iterable[Place], need: Need) -> Place | None:
    """Return the machine for a job: one with its checkpoint in memory, then the least busy."""
    able = [place for place in places if place.free and can_run(place.offer, need)]
    return min(able, key=lambda place: _rank(place, need), default=None)


def ready(places: Iterable[Place], pending: Iterable[Need]) -> set[Need]:
    """Return what could run at once, if those `pending` were given to machines before."""
    known = {place.key: place for place in places}
    for need in pending:
        chosen = choose(known.values(), need)
        if chosen:
            known[chosen.key] = replace(chosen, running=chosen.running + 1)
    return {need for place in known.values() if place.free for need in _needs(place.offer)}


def conflicts(places: Iterable[Place]) -> Mapping[str, Sequence[str]]:
    """Return names of checkpoints under which machines have different files, with the machines."""
    owners: dict[str, list[str]] = {}
    sizes: dict[str, set[int]] = {}
    digests: dict[str, set[str]] = {}
    for place in places:
        for one in place.offer.models:
            owners.setdefault(one.file, []).append(place.offer.name)
            sizes.setdefault(one.file, set()).add(one.size)
            digests.setdefault(one.file, set()).update({one.digest} if one.digest else ())
    return {
        file: sorted(names)
        for file, names in owners.items()
        if len(sizes[file]) > 1 or len(digests[file]) > 1
    }


def _needs(offer: Offer) -> Iterable[Need]:
    """Yield what a machine can run."""
    for kind in JobType:
        if kind not in offer.problems:
            yield Need(kind)
    for one in offer.models:
        for kind in one.types:
            yield Need(kind, one.file)


def _rank(place: Place, need: Need) -> tuple[bool, float, str]:
    wanted = {need.model} if need.model else _defaults(place.offer, need)
    share = place.running / place.offer.capacity
    return wanted.isdisjoint(place.loaded), share, place.key


def _defaults(offer: Offer, need: Need) -> set[str]:
    return {one.file for one in offer.models if need.type in one.defaults}
