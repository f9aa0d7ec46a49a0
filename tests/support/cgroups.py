"""Cgroups: processes that get little memory. Linux, as root."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CGROUPS = Path("/sys/fs/cgroup")
_LIMIT = 200 * 2**20
_EVENTS = ("memory.events", "memory.oom_control")


@contextmanager
def little_memory() -> Iterator[Path]:
    """Give the folder of a cgroup, of whichever version the machine has; skip where there is none.

    At the end it has to be empty. A process is put into it by its `cgroup.procs`.
    """
    v2 = (_CGROUPS / "cgroup.controllers").exists()
    name = f"sdrest-test-{uuid.uuid4().hex}"
    folder = (_CGROUPS if v2 else _CGROUPS / "memory") / name
    limits = ("memory.max", "memory.swap.max") if v2 else ("memory.limit_in_bytes",)
    try:
        folder.mkdir()
        for limit in limits:
            (folder / limit).write_text(str(_LIMIT if limit == limits[0] else 0))
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        pytest.skip(f"the machine allows no cgroup with limited memory: {error}")
    yield folder
    folder.rmdir()


def kills_for_memory(group: Path) -> int:
    """Return how many processes of a cgroup the kernel has killed for lack of memory."""
    (source,) = (one for one in _EVENTS if (group / one).exists())
    counts = dict(line.split() for line in (group / source).read_text("ascii").splitlines())
    return int(counts["oom_kill"])
