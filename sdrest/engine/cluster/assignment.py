"""Which worker gets a job. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sdrest.engine.base import Need
from sdrest.engine.workers import Offer
from sdrest.job_types import JobType


@dataclass(frozen=True, slots=True)
class Place:
    """A machine that runs jobs, and how many it runs of those that it may at once.

    `key` is the address of a worker, empty for this machine. `needs` are what it can run, as
    `needs_of` finds them in its offer. `loaded` are the files of the checkpoints in its memory. A
    machine that is about to stop takes none.
    """

    key: str
    offer: Offer
    needs: frozenset[Need]
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


def needs_of(offer: Offer) -> frozenset[Need]:
    """Return what a machine can run."""
    defaults = {Need(kind) for kind in JobType if kind not in offer.problems}
    named = {Need(kind, one.file) for one in offer.models for kind in one.types}
    return frozenset(defaults | named)


def filled(place: Place) -> Place:
    """Return a machine as it is where it can run no further job."""
    return replace(place, running=max(place.running, place.offer.capacity))


def choose(places: Iterable[Place], need: Need, *, alone: bool = False) -> Place | None:
    """Return the machine for a job: one with its checkpoint in memory, then the least busy.

    If it is to run `alone`, that is one that runs nothing.
    """
    able = [place for place in places if place.free and need in place.needs]
    idle = [place for place in able if not place.running]
    return min(idle if alone else able, key=lambda place: _rank(place, need), default=None)


def ready(
    places: Iterable[Place], pending: Iterable[Need], alone: Iterable[Need] = ()
) -> set[Need]:
    """Return what could run at once, if those `pending` were given to machines before.

    Those that wait to run `alone` get the next machines that run nothing: they are kept for them.
    """
    known = {place.key: place for place in places}
    for need in alone:
        able = [place for place in known.values() if need in place.needs and not place.draining]
        kept = min(able, key=lambda place: place.running, default=None)
        if kept:
            known[kept.key] = filled(kept)
    for need in pending:
        chosen = choose(known.values(), need)
        if chosen:
            known[chosen.key] = replace(chosen, running=chosen.running + 1)
    return set().union(*{place.needs for place in known.values() if place.free})


def conflicts(offers: Iterable[Offer]) -> Mapping[str, Sequence[str]]:
    """Return what machines have different files for, with their names.

    That is the name of a checkpoint, or that of the default for a type of jobs.
    """
    owners: dict[str, list[str]] = {}
    sizes: dict[str, set[int]] = {}
    digests: dict[str, set[str]] = {}
    for offer in offers:
        for one in offer.models:
            for title in (one.file, *(f"the default for {kind}" for kind in one.defaults)):
                owners.setdefault(title, []).append(offer.name)
                sizes.setdefault(title, set()).add(one.size)
                digests.setdefault(title, set()).update({one.digest} if one.digest else ())
    return {
        title: sorted(names)
        for title, names in owners.items()
        if len(sizes[title]) > 1 or len(digests[title]) > 1
    }


def _rank(place: Place, need: Need) -> tuple[bool, float, str]:
    wanted = {need.model} if need.model else _defaults(place.offer, need)
    share = place.running / place.offer.capacity
    return wanted.isdisjoint(place.loaded), share, place.key


def _defaults(offer: Offer, need: Need) -> set[str]:
    return {one.file for one in offer.models if need.type in one.defaults}
