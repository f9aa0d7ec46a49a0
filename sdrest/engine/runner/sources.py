"""Whether the files that modules were imported from are still what they were."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


class SourceFiles:
    """The source files of a repository that this process has imported."""

    def __init__(self) -> None:
        self._stamps: dict[str, tuple[int, int]] = {}

    def remember(self, roots: Iterable[str]) -> None:
        """Remember the files of modules that lie in one of the folders, but for installed ones."""
        prefixes = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118 (text: a thousand of them)
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or file in self._stamps or not file.startswith(prefixes):
                continue
            stamp = _stamp(file)
            if stamp and "site-packages" not in file:
                self._stamps[file] = stamp

    def changed(self) -> bool:
        """Whether one of the files is another one now."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 (as above)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
