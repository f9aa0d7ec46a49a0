"""What this machine offers to a front: looked at again and again, since it changes."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import Hashes
from sdrest.engine.base import Executor
from sdrest.engine.local.memory import usable_memory
from sdrest.engine.local.repository import Repository
from sdrest.engine.workers import Offer, OfferedModel

_log = logging.getLogger(__name__)

_SECONDS = 5.0
"""Seconds between two looks at the folder of models, the scripts and their Python."""

_SECONDS_WHILE_HASHING = 1.0
"""The same while a hash is being computed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A name for people, and the accelerator: `cuda`, `mps` or `cpu`, '' while it is unknown."""

    name: str
    accelerator: str


class Offers:
    """What this machine offers.

    `number` counts the offers from 1 on; `changed` is called for each. `current` is the latest,
    once `refresh` was called. `machine` may be replaced.
    """

    current: Offer

    def __init__(
        self,
        machine: Machine,
        repository: Repository,
        executor: Executor,
        hashes: Hashes,
        *,
        changed: Callable[[], object],
    ) -> None:
        self.number = 0
        self.machine = machine
        self._repository = repository
        self._executor = executor
        self._hashes = hashes
        self._changed = changed
        self._memory = usable_memory().total
        self._files: Mapping[str, str] = {}

    async def refresh(self) -> None:
        """Look at what there is now; hashes that are not known yet are computed meanwhile."""
        health = await self._executor.health()
        models = await asyncio.to_thread(self._models)
        offer = Offer(
            name=self.machine.name,
            capacity=self._executor.capacity,
            accelerator=self.machine.accelerator,
            memory=self._memory,
            models=models,
            problems={one: replace(wrong, path=None) for one, wrong in health.problems.items()},
            bundled=health.bundled,
        )
        if not self.number or offer != self.current:
            self.current = offer
            self.number += 1
            self._changed()

    async def watch(self) -> None:
        """Refresh the offer for ever."""
        while True:
            hashing = any(not model.digest for model in self.current.models)
            await asyncio.sleep(_SECONDS_WHILE_HASHING if hashing else _SECONDS)
            try:
                await self.refresh()
            except OSError as error:
                _log.warning("The models and scripts cannot be looked at: %s", error)

    def files(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the names by which jobs choose the checkpoints with these real paths."""
        return tuple(sorted(self._files.get(path, Path(path).name) for path in paths))

    def _models(self) -> tuple[OfferedModel, ...]:
        entries = [one for one in self._repository.models.entries() if one.usable]
        self._files = {os.path.realpath(one.path): one.file for one in entries}
        self._hashes.request(one.path for one in entries)
        return tuple(map(self._offered, entries))

    def _offered(self, one: Checkpoint) -> OfferedModel:
        digest = self._hashes.digest(one.path) or ""
        return OfferedModel(one.name, one.file, one.size, one.kind, digest, one.types, one.defaults)
