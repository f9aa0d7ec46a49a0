"""What a worker answers to its fronts; see `protocol` for what the calls mean."""

import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sdrest.engine.cluster import protocol
from sdrest.engine.cluster.offer import Offers
from sdrest.engine.cluster.protocol import (
    CALLS,
    POLL_SECONDS,
    PREFIX,
    Message,
    Status,
    encode_offer,
    encode_status,
    refusal,
)
from sdrest.engine.cluster.runs import Runs

_log = logging.getLogger(__name__)


class Engine:
    """What all fronts of a worker share."""

    def __init__(self, runs: Runs, offers: Offers) -> None:
        self.runs = runs
        self.offers = offers
        self._status = Status(0)  # the first one that is found has number 1

    @property
    def handlers(self) -> Mapping[str, Callable[..., Coroutine[Any, Any, Any]]]:
        """The calls, by the names under which Dask carries them."""
        return {PREFIX + name: getattr(self, name) for name in CALLS}

    async def connect(self, front: str, versions: Mapping[str, str]) -> Message:
        """End what this front began earlier; return versions and offer."""
        own = protocol.versions()
        with self.runs.called_by(front):
            self.runs.welcome(front)
            reason = refusal(versions, own)
            if reason:
                _log.warning("The server does not use this worker. %s", reason)
                return {"versions": own, "offer": None}
            await self.runs.cancel_all(front)
            return {"versions": own, "offer": encode_offer(self.offers.current)}

    async def offer(self, front: str) -> Message:
        """Return what the worker offers now."""
        with self.runs.called_by(front):
            return encode_offer(self.offers.current)

    async def status(self, front: str, since: int) -> Message | None:
        """Return how the worker is; wait for a change if the front knows number `since`.

        Returns None to a front that was given up, or connected before this worker was started.
        """
        if not self.runs.knows(front):
            return None
        with self.runs.called_by(front):
            deadline = time.monotonic() + POLL_SECONDS
            await self._look()
            while self._status.number == since:
                changed = await self.runs.changed.wait(deadline - time.monotonic())
                await self._look()
                if not changed:
                    break
            return encode_status(self._status)

    async def start(self, front: str, run: str, task: Message) -> None:
        """Begin a task."""
        with self.runs.called_by(front):
            self.runs.start(front, run, task)

    async def events(self, front: str, run: str, since: int) -> Sequence[Message] | None:
        """Return the events of a run from number `since` on; None for a run that is not there."""
        with self.runs.called_by(front):
            return await self.runs.events(run, since)

    async def cancel(self, front: str, run: str) -> None:
        """End a run, and return when nothing of it is left."""
        with self.runs.called_by(front):
            await self.runs.cancel(run)

    async def preload(self, front: str) -> None:
        """Start to load the text-to-image model, in the background."""
        with self.runs.called_by(front):
            self.runs.executor.preload()

    async def unload(self, front: str) -> None:
        """Free the memory of models that no task uses."""
        with self.runs.called_by(front):
            await self.runs.executor.unload()

    async def _look(self) -> None:
        """Find out the status; it has another number if more than the memory has changed."""
        stats = await self.runs.executor.stats()
        last = self._status
        found = Status(
            number=last.number,
            runs=self.runs.names,
            loaded=self.offers.files(stats.models),
            offer=self.offers.number,
            busy=stats.busy,
            idle=stats.idle,
            memory=last.memory,
            draining=self.runs.draining.is_set(),
        )
        number = last.number + (found != last or not last.number)
        self._status = replace(found, number=number, memory=stats.memory)
