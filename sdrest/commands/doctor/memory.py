"""Check whether the models fit into the memory that the server's processes may use."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sdrest.commands import sizes
from sdrest.commands.doctor.findings import Finding, ok, warning
from sdrest.engine.local import memory
from sdrest.engine.local.memory import (
    Memory,
    Model,
    expected_attention,
    process_memory,
    usable_memory,
)
from sdrest.engine.local.repository import Repository
from sdrest.paths import expand
from sdrest.settings import AUTO, Settings


def memory_findings(settings: Settings, repository: Repository) -> Iterator[Finding]:
    """Yield findings about the memory for the models that the server keeps."""
    usable = usable_memory()
    if repository.bundled:
        yield ok(f"{_memory_text(usable)} The bundled engine needs little.")
        return
    number = memory.max_models(settings, repository)
    needed = memory.needed_memory(settings, repository)
    yield memory_finding(
        usable.total,
        usable.free,
        limit=usable.limit,
        needed=needed,
        kept=f"; a process keeps {number} loaded" if settings.max_models == AUTO else "",
        remedy=_remedy(settings, number),
    )
    if needed > usable.total:
        number = memory.max_models(replace(settings, max_models=AUTO), repository)
    yield from model_findings(
        usable,
        [model for model in memory.models(repository) if model.exists],
        expand(settings.models).absolute(),
        attention=expected_attention(settings),
        at_once=number,
    )


def model_findings(
    usable: Memory, models: Sequence[Model], folder: Path, *, attention: str, at_once: int
) -> Iterator[Finding]:
    """Yield a finding for each model that is too large for a process, and one for all others.

    Models in `folder` are named by their path in it. `at_once` is how many a process keeps.
    """
    fitting = 0
    for model in models:
        needed = process_memory([model], attention=attention)
        if needed <= usable.total:
            fitting += 1
            continue
        path = model.checkpoint
        name = path.relative_to(folder) if path.is_relative_to(folder) else path
        yield warning(
            f"{name} takes up to {_gib(needed)}, more than there is: its jobs may fail.",
            "Give it more memory, or use a smaller checkpoint.",
        )
    if fitting == 1:
        yield ok("1 checkpoint fits into the memory.")
    elif fitting:
        yield ok(f"{fitting} checkpoints fit into the memory; {min(at_once, fitting)} at once.")


def memory_finding(
    total: int,
    available: int,
    *,
    limit: str = "This machine has",
    needed: int = sizes.BOTH_MEMORY,
    kept: str = "",
    remedy: str = "",
) -> Finding:
    """Return a finding about the usable memory against the needed memory, in bytes."""
    there = _memory_text(Memory(total, available, limit))
    text = f"{there} The models take up to {_gib(needed)}{kept}."
    return ok(text) if total >= needed else warning(text, remedy)


def _remedy(settings: Settings, number: int) -> str:
    steps = ["Close other programs" if settings.concurrency == 1 else "Use --concurrency 1"]
    if number > 1:
        steps.append("start the server with --max-models 1")
    steps.append("use smaller checkpoints")
    return f"{', '.join(steps)}, or give it more memory."


def _memory_text(usable: Memory) -> str:
    return f"{usable.limit} {_gib(usable.total)} of memory, {_gib(usable.free)} of them free."


def _gib(count: int) -> str:
    return f"{count / memory.GIB:.1f} GiB"
