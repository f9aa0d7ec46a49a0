"""Run tasks on the workers of a cluster and on this machine."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import replace
from operator import attrgetter, is_not

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.shared import NOWHERE
from sdrest.engine.base import Event, Finished, Health, Need, PoolStats, Requeue, Task
from sdrest.engine.cluster import assignment, remote
from sdrest.engine.cluster.assignment import Place
from sdrest.engine.cluster.front import Front
from sdrest.engine.cluster.here import Here
from sdrest.engine.cluster.link import Link
from sdrest.engine.cluster.suspects import Suspects
from sdrest.engine.workers import Offer, WorkerInfo
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType

_log = logging.getLogger(__name__)


class ClusterExecutor:
    """An `Executor` over the workers of `front` and, if given, the runners `here`.

    Its owner starts `front`, with `changed` of this object, before it gives it tasks.
    """

    def __init__(self, here: Here | None = None) -> None:
        self._here = here
        self._front: Front | None = None
        self._watchers: list[Callable[[], object]] = []
        self._conflicts: Mapping[str, Sequence[str]] = {}
        self._offers: Sequence[Offer] = ()
        self._models: Mapping[str, Checkpoint] | None = None
        self._suspects = Suspects()

    async def start(self, front: Front) -> None:
        """Begin to use workers; raises `UsageError`."""
        if self._here:
            await self._here.start(self.changed)
        self._front = front
        await front.start()

    def changed(self) -> None:
        """Take account of workers that came, went or are another."""
        offers = [self._here.offer] if self._here else []
        offers += filter(None, (link.offer for link in self._links))
        if len(offers) != len(self._offers) or any(map(is_not, offers, self._offers)):
            self._offers, self._models = offers, None
            self._compare(offers)
        for watcher in tuple(self._watchers):
            watcher()

    def _compare(self, offers: Sequence[Offer]) -> None:
        """Warn of machines that have different files under one name, once."""
        conflicts = assignment.conflicts(offer for offer in offers if not offer.bundled)
        for title, names in conflicts.items():
            if self._conflicts.get(title) != names:
                _log.warning("%s", _conflict(title, names))
        self._conflicts = conflicts

    @property
    def address(self) -> str:
        """The address at which workers connect."""
        return self._front.address if self._front else ""

    @property
    def capacity(self) -> int:
        """How many tasks all machines run at once."""
        return sum(place.offer.capacity for place in self._places() if not place.draining)

    def watch_capacity(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Call `changed` when a machine may take another task; return what ends that."""
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def ready(self, claimed: Mapping[str, Need]) -> set[Need]:
        """Return what the machines can run besides the `claimed` jobs."""
        begun = set(self._here.runs) if self._here else set()
        for link in self._links:
            begun.update(link.runs.values())
        waiting = self._suspects.waiting
        begun.update(waiting)
        pending = [need for job, need in claimed.items() if job not in begun]
        return assignment.ready(self._places(), pending, waiting.values())

    def waits_for(self, need: Need) -> str:
        """Return why no machine can run a job; '' where one can once it is free."""
        places = self._places()
        if any(need in place.needs for place in places):
            return ""
        return self._obstacle(need, places).message

    def models(self) -> Mapping[str, Checkpoint]:
        """Return the checkpoints that workers have, by their files."""
        if self._models is None:
            self._models = _models(place.offer for place in self._places() if place.key)
        return self._models

    def workers(self) -> Sequence[WorkerInfo]:
        """Return this machine, if it runs tasks, and all workers, the first to come first."""
        found = [self._here.info] if self._here else []
        found += [link.info for link in self._links]
        found.sort(key=attrgetter("since"))
        return [replace(one, warnings=self._warnings(one.name)) for one in found]

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """Yield the events of a task; see `Executor.run`.

        Where no machine can take it now, it is to be queued again.
        """
        need = Need(task.params.type, task.params.model or "")
        alone = task.id in self._suspects
        if alone:
            await self._until_idle(task.id, need)
        places = self._places()
        place = assignment.choose(places, need, alone=alone)
        if place is None:
            yield Finished(self._obstacle(need, places), requeue=Requeue.YES)
            return
        if place.key and self._front:
            events = remote.run(self._front.links[place.key], task)
        else:
            assert self._here  # noqa: S101 (the only place without a key)
            events = self._here.run(task)
        lost = False
        try:
            with self._suspects.alone(place.key) if alone else nullcontext():
                async with aclosing(events):
                    async for event in events:
                        lost = isinstance(event, Finished) and event.requeue is Requeue.YES
                        yield event
        finally:
            self._suspects.note(task.id, lost=lost)
            if alone:
                self.changed()

    async def _until_idle(self, job: str, need: Need) -> None:
        """Wait while all machines that can run a job run others; they get no further ones."""
        changed = asyncio.Event()
        unwatch = self.watch_capacity(changed.set)
        self._suspects.waiting[job] = need
        try:
            while not assignment.choose(places := self._places(), need, alone=True):
                if not any(need in place.needs and not place.draining for place in places):
                    return
                changed.clear()
                await changed.wait()
        finally:
            unwatch()
            del self._suspects.waiting[job]

    async def health(self) -> Health:
        """Look for types of jobs that no machine can run."""
        if self._here:
            await self._here.refresh()
        places = self._places()
        problems = {
            kind: self._obstacle(Need(kind), places)
            for kind in JobType
            if self.waits_for(Need(kind))
        }
        bundled = bool(places) and all(place.offer.bundled for place in places)
        return Health(problems, bundled=bundled)

    async def stats(self) -> PoolStats:
        """Count the runners of all machines; the models of workers are named by their files."""
        own = await self._here.stats() if self._here else PoolStats(0, 0, 0)
        infos = [link.info for link in self._links]
        return PoolStats(
            own.busy + sum(one.busy for one in infos),
            own.idle + sum(one.idle for one in infos),
            own.memory + sum(one.memory for one in infos),
            own.models.union(*(one.loaded for one in infos)),
        )

    def preload(self) -> None:
        """Start to load the text-to-image model on every machine."""
        if self._here:
            self._here.executor.preload()
        if self._front:
            self._front.call_all("preload")

    async def unload(self) -> None:
        """Free the memory of models that no task uses, on every machine."""
        if self._here:
            await self._here.executor.unload()
        if self._front:
            self._front.call_all("unload")

    async def close(self) -> None:
        """End every process here, and leave the workers."""
        await asyncio.gather(
            *([self._here.close()] if self._here else []),
            *([self._front.close()] if self._front else []),
        )

    def _places(self) -> Sequence[Place]:
        here = [self._here.place] if self._here else []
        found = assignment.usable([*here, *filter(None, (link.place for link in self._links))])
        return self._suspects.without_room(found)

    @property
    def _links(self) -> Sequence[Link]:
        """The workers as they are now, for other threads too."""
        return tuple(self._front.links.values()) if self._front else ()

    def _obstacle(self, need: Need, places: Iterable[Place]) -> Failure:
        """Return why no machine takes a job."""
        places = list(places)
        if not places:
            text = "No worker is connected. Start `sdrest worker` on a machine with a GPU."
        elif need.model:
            text = (
                f"No machine that is connected has the model {need.model}. Connect a worker that "
                "has it; GET /workers lists them."
            )
        else:
            problems = (place.offer.problems.get(need.type) for place in places)
            found = next(filter(None, problems), None)
            reason = found.message if found else "All are busy."
            text = f"No machine that is connected can run {need.type} now. {reason}"
        return Failure(FailureCode.NO_WORKER, text)

    def _warnings(self, name: str) -> Sequence[str]:
        return [
            _conflict(title, names) for title, names in self._conflicts.items() if name in names
        ]


def _conflict(title: str, names: Sequence[str]) -> str:
    return (
        f"{', '.join(names)} have different files as {title}: the same job makes different "
        "pictures there. Copy one of them to all of these machines, or rename it."
    )


def _models(offers: Iterable[Offer]) -> Mapping[str, Checkpoint]:
    found: dict[str, Checkpoint] = {}
    for offer in offers:
        for one in offer.models:
            known = found.get(one.file)
            found[one.file] = Checkpoint(
                one.name,
                one.file,
                NOWHERE / one.file,
                one.size,
                one.kind,
                defaults=tuple(one.defaults),
                workers=(*(known.workers if known else ()), offer.name),
                digest=one.digest,
            )
    return found
