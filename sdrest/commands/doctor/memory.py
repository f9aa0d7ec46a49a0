"""Check whether the models fit into the memory that the server's processes may use."""

from collections.abc import Iterator

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
from sdrest.settings import AUTO, Settings


def memory_findings(settings: Settings, repository: Repository) -> Iterator[Finding]:
    """Yield findings about the memory for the models that the server keeps."""
    usable = usable_memory()
    if repository.bundled:
        yield ok(f"{_memory_text(usable)} The bundled engine needs little.")
        return
    number = memory.max_models(settings, repository)
    yield memory_finding(
        usable.total,
        usable.free,
        limit=usable.limit,
        needed=memory.needed_memory(settings, repository),
        kept=f"; a process keeps {number} loaded" if settings.max_models == AUTO else "",
        remedy=_remedy(settings, number),
    )
    for model in memory.models(repository):
        if model.exists:
            yield model_finding(usable, model, expected_attention(settings))


def model_finding(usable: Memory, model: Model, attention: str) -> Finding:
    """Return a finding about the memory of a process with one model."""
    needed = process_memory([model], attention=attention)
    text = f"{model.checkpoint.name} takes up to {_gib(needed)}"
    if needed <= usable.total:
        return ok(f"{text}: it fits.")
    return warning(
        f"{text}, more than there is: its jobs may fail.",
        "Give it more memory, or use a smaller checkpoint.",
    )


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
