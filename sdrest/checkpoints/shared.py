"""The checkpoints of this machine and of the workers of a cluster, under one list of names."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sdrest.checkpoints.catalog import Catalog, Checkpoint, File, named

NOWHERE = Path(os.devnull)
"""The folder of files that are on other machines: nothing can be in it."""


class SharedCatalog(Catalog):
    """The checkpoints of `own`, if this machine runs jobs, and those that workers have.

    `offered` returns the latter by their files, as they are now.
    """

    def __init__(
        self, own: Catalog | None, offered: Callable[[], Mapping[str, Checkpoint]]
    ) -> None:
        super().__init__(NOWHERE, {})
        self._own = own
        self._offered = offered

    def _files(self) -> Iterator[File]:
        own = {one.file: one.path for one in self._own._files()} if self._own else {}  # noqa: SLF001 (its own class)
        offered = {file: one.path for file, one in self._offered().items()}
        found = {**offered, **own}
        return named({file: found[file] for file in sorted(found, key=str.casefold)})

    def _describe(self, name: str, file: str, path: Path) -> Checkpoint:
        offered = self._offered().get(file)
        own = self._own
        if own is None or path.is_relative_to(NOWHERE):
            gone = Checkpoint(name, file, path, 0, "unknown", "Its worker is gone.")
            return replace(offered, name=name) if offered else gone
        found = own._describe(name, file, path)  # noqa: SLF001 (its own class)
        if offered is None:
            return found
        if not found.usable:
            return replace(offered, name=name)
        defaults = tuple(dict.fromkeys([*found.defaults, *offered.defaults]))
        return replace(found, workers=offered.workers, digest=offered.digest, defaults=defaults)
