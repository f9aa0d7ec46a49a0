"""Hashes of checkpoints, computed in the background."""

import hashlib
import os
from pathlib import Path

import pytest

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.checkpoints.hashes import Hashes, without_hash
from sdrest.checkpoints.shared import NOWHERE


def known(hashes: Hashes, path: Path) -> str:
    """Return a hash once it is known."""
    hashes.request([path])
    found = None
    while found is None:  # ends by pytest's timeout otherwise
        found = hashes.digest(path)
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("damaged", [False, True])
def test_hashes_are_kept_until_their_file_changes(tmp_path: Path, damaged: bool) -> None:
    path, memory = tmp_path / "x.ckpt", tmp_path / "hashes.json"
    path.write_bytes(b"one")
    first = Hashes(memory)
    assert first.digest(path) is None
    assert known(first, path) == digest(b"one")
    first.close()
    if damaged:
        memory.write_text("[[")
    second = Hashes(memory)
    second.request([])
    assert second.digest(path) == (None if damaged else digest(b"one"))
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert known(second, path) == digest(b"two")
    second.request([tmp_path / "missing"])
    assert second.digest(tmp_path / "missing") is None
    second.close()


def test_a_short_hash_is_that_of_this_machine_or_of_a_worker(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"one")
    hashes = Hashes(tmp_path / "hashes.json")
    here = Checkpoint("x", "x.ckpt", path, 3, "text-to-image")
    elsewhere = Checkpoint("x", "x.ckpt", NOWHERE / "x.ckpt", 3, "text-to-image", digest="0" * 64)
    assert hashes.short(here) == ""
    assert known(hashes, path).startswith(hashes.short(here))
    assert len(hashes.short(here)) == 10
    assert hashes.short(elsewhere) == "0" * 10
    hashes.close()


def test_titles_of_the_web_ui_lose_their_hash() -> None:
    assert without_hash("dream [0123456789]") == "dream"
    assert without_hash("dream[v2]") == "dream[v2]"
