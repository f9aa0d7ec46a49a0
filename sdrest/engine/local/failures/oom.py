"""Whether the kernel has killed a process for lack of memory. Linux counts that, macOS does not."""

from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_VMSTAT = Path("/proc/vmstat")


class OomCounter:
    """Counts the out-of-memory kills of a process's cgroup from now on.

    The count is `oom_kill` of `memory.events.local` (cgroup v2, Linux 5.2) or `memory.oom_control`
    (v1), which Documentation/admin-guide/cgroup-v2.rst describes; `memory.events` counts the
    cgroups below as well. Where none is there, it is that of the machine in `/proc/vmstat`. The
    kernel raises it before it sends the signal. `pid` 0: nothing is known.
    """

    def __init__(self, pid: int = 0) -> None:
        self._source: Path | None = None
        self._before = 0
        for source in _sources(pid) if pid else ():
            count = _read(source)
            if count is not None:
                self._source, self._before = source, count
                return

    def increased(self) -> bool | None:
        """Return whether a process was killed since; None where that is unknown."""
        count = None if self._source is None else _read(self._source)
        return None if count is None else count > self._before


def _sources(pid: int) -> Iterator[Path]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    for line in lines:  # 4:memory:/path (v1), 0::/path (v2)
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        names: tuple[str, ...]
        if "memory" in controllers.split(","):
            root, names = _CGROUPS / "memory", ("memory.oom_control",)
        elif number == "0":
            root, names = _CGROUPS, ("memory.events.local", "memory.events")
        else:
            continue
        yield from (root / path.strip("/") / name for name in names)
        # A container whose own cgroup is mounted as the root.
        yield from (root / name for name in names)
    yield _VMSTAT


def _read(source: Path) -> int | None:
    try:
        lines = source.read_text("ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
