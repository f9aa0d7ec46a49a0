"""The SHA-256 of checkpoints, computed in the background: gigabytes take seconds to minutes."""

import contextlib
import hashlib
import json
import queue
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from sdrest.checkpoints.catalog import Checkpoint, Identity, identity

_BLOCK = 1 << 20

SHORT = 10
"""Hexadecimal digits of a short hash, as AUTOMATIC1111's web UI shows them."""


_TITLE_HASH = re.compile(r" ?\[[0-9a-f]+\]$")


def without_hash(title: str) -> str:
    """Return a name without the short hash that the titles of A1111's web UI have behind it."""
    return _TITLE_HASH.sub("", title)


class Hashes:
    """The hashes of files, each computed once and again when its file changes.

    `memory` is a file that keeps them from one start to the next.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[Identity, str] = {}
        self._requested: set[Identity] = set()
        self._waiting: queue.SimpleQueue[tuple[Identity, Path] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = threading.Event()

    def request(self, paths: Iterable[Path]) -> None:
        """Start to compute the hashes that are not known, one file after the other. May block."""
        with self._starting:
            if self._thread is None:
                self._known = dict(_read(self._memory))
                self._thread = threading.Thread(target=self._work, name="hashes", daemon=True)
                self._thread.start()
        for path in paths:
            with contextlib.suppress(OSError):
                key = identity(path)
                if key not in self._requested | self._known.keys():
                    self._requested.add(key)
                    self._waiting.put((key, path))

    def short(self, found: Checkpoint) -> str:
        """Return the first digits of a checkpoint's hash, here or on workers; '' while unknown.

        May block.
        """
        return (self.digest(found.path) or found.digest)[:SHORT]

    def digest(self, path: Path) -> str | None:
        """Return a file's hash; None while it is not known. May block."""
        try:
            return self._known.get(identity(path))
        except OSError:
            return None

    def close(self) -> None:
        """Stop computing."""
        self._closed.set()
        self._waiting.put(None)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            key, path = item
            with contextlib.suppress(OSError):
                digest = self._digest(path)
                if digest is None:
                    return
                with contextlib.suppress(OSError):  # computed again after the next start
                    _write(self._memory, {**self._known, key: digest})
                self._known[key] = digest
            self._requested.discard(key)

    def _digest(self, path: Path) -> str | None:
        """Return the hash of a file; None where the work is to stop. Raises OSError."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if self._closed.is_set():
                    return None
                digest.update(block)
        return digest.hexdigest()


def _read(memory: Path) -> Iterable[tuple[Identity, str]]:
    """Return the hashes in a file; none where it is missing or damaged."""
    try:
        return [(Identity(*key), str(digest)) for key, digest in json.loads(memory.read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def _write(memory: Path, known: Mapping[Identity, str]) -> None:
    """Replace the file of hashes. Raises OSError."""
    part = memory.with_name(f"{memory.name}.part")
    part.write_text(json.dumps(list(known.items())), encoding="utf-8")
    part.replace(memory)
