"""Keeps on the disk how many random numbers building a model consumes.

One small file for each model, script and version of torch, in the user's folder for caches. If it
cannot be read or written, the model is built with random numbers, which only takes longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

_FOLDER = "random-numbers"


class Consumed(NamedTuple):
    """A digest of the calls that drew random numbers, and how many numbers they drew."""

    calls: str
    numbers: int


def read(model: str) -> Consumed | None:
    """Return what building a model consumes; None if that is not known."""
    try:
        content = json.loads(_path(model).read_text(encoding="utf-8"))
        found = Consumed(str(content["calls"]), int(content["numbers"]))
        return found if content["checksum"] == _checksum(model, found) else None
    except (OSError, ValueError, LookupError, TypeError, RuntimeError):
        return None


def write(model: str, consumed: Consumed) -> None:
    """Keep what building a model consumes, if possible. Several processes may do so at once."""
    with contextlib.suppress(OSError, RuntimeError):
        path = _path(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        content = {**consumed._asdict(), "checksum": _checksum(model, consumed)}
        new.write_text(json.dumps(content), encoding="utf-8")
        new.replace(path)


def _checksum(model: str, consumed: Consumed) -> str:
    return _digest(f"{consumed.calls} {consumed.numbers} {model}")


def cache_folder() -> Path:
    """Return sdrest's folder among the user's caches.

    Raises `RuntimeError` if the user has no home folder.
    """
    usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or usual).expanduser() / "sdrest"


def _path(model: str) -> Path:
    """Return the file of a model; raises what `cache_folder` raises."""
    return cache_folder() / _FOLDER / f"{_digest(model)}.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
