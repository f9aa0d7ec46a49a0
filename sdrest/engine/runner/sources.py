"""Notices changes of the source files that this process has imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable


class SourceFiles:
    """The imported source files of a repository, with the time of change and the size of each."""

    def __init__(self) -> None:
        self._stamps: dict[str, tuple[int, int]] = {}

    def remember(self, roots: Iterable[str]) -> None:
        """Remember the files of modules in the folders `roots`, except installed packages."""
        prefixes = tuple(os.path.join(root, "") for root in roots)  # noqa: PTH118 (called for a thousand modules)
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or file in self._stamps or not file.startswith(prefixes):
                continue
            stamp = _stamp(file)
            if stamp and "site-packages" not in file:
                self._stamps[file] = stamp

    def changed(self) -> bool:
        """Whether a remembered file has changed."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 (as above)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
