"""The SHA-256 of checkpoints, computed in the background: gigabytes take seconds to minutes."""

import hashlib
import queue
import threading
from collections.abc import Iterable
from pathlib import Path

from sdrest.checkpoints.catalog import Identity, identity

_BLOCK = 1 << 20
SHORT = 10
"""Hexadecimal digits of a short hash, as AUTOMATIC1111's web UI shows them."""


class Hashes:
    """The hashes of files, each computed once and again when its file changes."""

    def __init__(self) -> None:
        self._known: dict[Identity, str] = {}
        self._requested: set[Identity] = set()
        self._waiting: queue.SimpleQueue[tuple[Identity, Path] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def request(self, paths: Iterable[Path]) -> None:
        """Start to compute the hashes that are not known, one file after the other. May block."""
        for path in paths:
            try:
                key = identity(path)
            except OSError:
                continue
            if key not in self._requested:
                self._requested.add(key)
                self._waiting.put((key, path))
        if self._thread is None and self._requested:
            self._thread = threading.Thread(target=self._work, name="hashes", daemon=True)
            self._thread.start()

    def short(self, path: Path) -> str | None:
        """Return the first digits of a file's hash; None while it is not known. May block."""
        try:
            known = self._known.get(identity(path))
        except OSError:
            return None
        return known and known[:SHORT]

    def close(self) -> None:
        """Stop computing."""
        self._closed.set()
        self._waiting.put(None)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            key, path = item
            digest = self._digest(path)
            if digest:
                self._known[key] = digest
            else:
                self._requested.discard(key)

    def _digest(self, path: Path) -> str | None:
        """Return the hash of a file; None where it cannot be read, or at the end."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    if self._closed.is_set():
                        return None
                    digest.update(block)
        except OSError:
            return None
        return digest.hexdigest()
