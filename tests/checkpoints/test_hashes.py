"""Hashes of checkpoints, computed in the background."""

import hashlib
import os
from pathlib import Path

import pytest

from sdrest.checkpoints.hashes import Hashes


def known(hashes: Hashes, path: Path) -> str:
    """Return a short hash once it is known."""
    hashes.request([path])
    found = None
    while found is None:  # ends by pytest's timeout otherwise
        found = hashes.short(path)
    return found


def short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:10]


@pytest.mark.parametrize("damaged", [False, True])
def test_hashes_are_kept_until_their_file_changes(tmp_path: Path, damaged: bool) -> None:
    path, memory = tmp_path / "x.ckpt", tmp_path / "hashes.json"
    path.write_bytes(b"one")
    first = Hashes(memory)
    assert first.short(path) is None
    assert known(first, path) == short(b"one")
    first.close()
    if damaged:
        memory.write_text("[[")
    second = Hashes(memory)
    second.request([])
    assert second.short(path) == (None if damaged else short(b"one"))
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert known(second, path) == short(b"two")
    second.request([tmp_path / "missing"])
    assert second.short(tmp_path / "missing") is None
    second.close()
