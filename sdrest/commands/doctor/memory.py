"""Check whether the models fit into the memory that the server's processes may use.

On macOS the machine's memory is the limit: it has no control groups, and its address space limit
has no effect.
"""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from sdrest.commands import sizes
from sdrest.commands.doctor.findings import Finding, ok, warning
from sdrest.engine.local.repository import Repository
from sdrest.settings import Settings

_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Usable bytes, how many of them are free, and what sets the limit."""

    total: int
    free: int
    limit: str = "This machine has"


def usable_memory(listing: Path = _PROC, cgroups: Path = _CGROUPS) -> Memory:
    """Return the smallest limit of the machine, the container and ulimit.

    `listing` names the control groups of this process, which are mounted at `cgroups`.
    """
    machine = psutil.virtual_memory()
    found = [Memory(machine.total, machine.available)]
    for limit, used in _group_limits(listing, cgroups):
        free = min(max(limit - used, 0), machine.available)
        found.append(Memory(limit, free, "The container or service (its control group) allows"))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        found.append(Memory(soft, min(soft, machine.available), "ulimit -v allows"))
    return min(found, key=lambda memory: memory.total)


def memory_findings(settings: Settings, repository: Repository) -> Iterator[Finding]:
    """Yield a finding about the memory for the models that the server keeps."""
    memory = usable_memory()
    if repository.bundled:
        yield ok(f"{_memory_text(memory)} The bundled engine needs little.")
        return
    yield memory_finding(
        memory.total,
        memory.free,
        limit=memory.limit,
        needed=needed_memory(settings, repository),
        remedy=_remedy(settings),
    )


def needed_memory(settings: Settings, repository: Repository) -> int:
    """Return the peak memory of all script processes in bytes.

    A checkpoint larger or smaller than the published one needs that much more or less.
    """
    text = _size_of(repository.text_to_image_model)
    inpaint = _size_of(repository.inpaint_image_model)
    neither = text is None and inpaint is None  # not downloaded yet
    most = sizes.memory(
        text_to_image=text is not None or neither,
        inpaint=inpaint is not None or neither,
        max_models=settings.max_models,
    )
    if text is not None:
        most += text - sizes.TEXT_TO_IMAGE.disk
    elif inpaint is not None:
        most += inpaint - sizes.INPAINT.disk
    return settings.concurrency * most


def memory_finding(
    total: int,
    available: int,
    *,
    limit: str = "This machine has",
    needed: int = sizes.BOTH_MEMORY,
    remedy: str = "",
) -> Finding:
    """Return a finding about the usable memory against the needed memory, in bytes."""
    text = f"{_memory_text(Memory(total, available, limit))} The models take up to {_gib(needed)}."
    return ok(text) if total >= needed else warning(text, remedy)


def _remedy(settings: Settings) -> str:
    steps = ["Close other programs" if settings.concurrency == 1 else "Use --concurrency 1"]
    if settings.max_models > 1:
        steps.append("start the server with --max-models 1")
    steps.append("use smaller checkpoints (fp16)")
    return f"{', '.join(steps)}, or give it more memory."


def _memory_text(memory: Memory) -> str:
    return f"{memory.limit} {_gib(memory.total)} of memory, {_gib(memory.free)} of them free."


def _gib(count: int) -> str:
    return f"{count / sizes.GIB:.1f} GiB"


def _size_of(checkpoint: Path) -> int | None:
    return checkpoint.stat().st_size if checkpoint.is_file() else None


def _group_limits(listing: Path, cgroups: Path) -> Iterator[tuple[int, int]]:
    """Yield limit and usage in bytes of each memory control group of this process.

    A container sees its own group as the root of the mount; a parent's limit applies too.
    """
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            yield from _limits(cgroups, path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            yield from _limits(cgroups / "memory", path, *names)


def _limits(root: Path, path: str, limit: str, used: str) -> Iterator[tuple[int, int]]:
    folder = root / path.lstrip("/")
    for place in (folder, *folder.parents):
        if place.is_relative_to(root):
            most, current = _number(place / limit), _number(place / used)
            if most is not None:
                yield most, current or 0


def _number(path: Path) -> int | None:
    """Return the number in a file; None for `max` or a missing file."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
