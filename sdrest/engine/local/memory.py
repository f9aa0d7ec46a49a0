"""How much memory the models of a script's process need, and how much there is.

On macOS the machine's memory is the limit: it has no control groups, and its address space limit
has no effect.
"""

import functools
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sdrest.checkpoints.contents import read
from sdrest.engine.local.repository import Repository
from sdrest.engine.runner.attention import EXACT, FAST, chosen
from sdrest.engine.runner.weights import EMA
from sdrest.job_types import JobType
from sdrest.settings import AUTO, Settings

GIB = 2**30

PROCESS = {FAST: round(3.3 * GIB), EXACT: round(4.2 * GIB)}
"""What a script's process needs besides its models, by its attention.

That is libraries, safety checker and a picture of 512x512. Measured on a CPU, with float32.
"""

FIRST_LOAD = round(1.6 * GIB)
"""What the first load of an inpainting model on a machine takes more than later ones.

Measured. That of a text-to-image model stays within `PROCESS`.
"""

GPU_PROCESS = round(1.5 * GIB)
"""The same on a GPU. Estimated: no GPU was at hand."""

SHARE = 0.8
"""How much of the memory `auto` takes; the rest is for the system and the server."""

PUBLISHED = {JobType.TEXT_TO_IMAGE: 4_265_380_512, JobType.INPAINT_IMAGE: 33 * 10**8}
"""Bytes of the published models, for checkpoints that are not there yet."""

_FLOAT32 = 4
_ITEM_BYTES = {"float16": 2, "bfloat16": 2, "float64": 8, "int64": 8, "uint8": 1, "bool": 1}
_PROC, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Usable bytes, how many of them are free, and what sets the limit."""

    total: int
    free: int
    limit: str = "This machine has"


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint's model: the bytes that it takes, and whether the checkpoint is there."""

    checkpoint: Path
    job_type: JobType
    size: int
    exists: bool = True


def published(job_type: JobType, checkpoint: Path = Path()) -> Model:
    """Return the published model for jobs of this type, as that of a missing checkpoint."""
    return Model(checkpoint, job_type, PUBLISHED[job_type], exists=False)


def process_memory(models: Sequence[Model], *, attention: str = FAST) -> int:
    """Return the peak memory of a process that keeps these models, in bytes."""
    inpaints = any(model.job_type is JobType.INPAINT_IMAGE for model in models)
    first_load = FIRST_LOAD if inpaints else 0
    return PROCESS[attention] + sum(model.size for model in models) + first_load


def expected_attention(settings: Settings) -> str:
    """Return the attention that the scripts will use, `exact` or `fast`.

    `auto` depends on the device: a Mac with Apple silicon has MPS; CPU and CUDA are alike.
    """
    has_mps = sys.platform == "darwin" and platform.machine() == "arm64"
    return chosen(settings.attention, "mps" if has_mps else "cpu")


def needed_memory(settings: Settings, repository: Repository) -> int:
    """Return the peak memory of all script processes, in bytes."""
    number = max_models(settings, repository)
    attention = expected_attention(settings)
    return settings.concurrency * _peak(_models_to_keep(repository), number, attention)


def max_models(settings: Settings, repository: Repository) -> int:
    """Return how many models a process keeps: as the flag says, or as many as fit, at least 1.

    Reads checkpoints and may start nvidia-smi: call it in a thread.
    """
    if settings.max_models != AUTO:
        return int(settings.max_models)
    return fitting(
        _models_to_keep(repository),
        attention=expected_attention(settings),
        concurrency=settings.concurrency,
        memory=round(usable_memory().total * SHARE),
        gpu=gpu_memory(),
    )


def fitting(
    models: Sequence[Model],
    *,
    concurrency: int,
    memory: int,
    attention: str = FAST,
    gpu: int | None = None,
) -> int:
    """Return how many models each of the processes can keep in so many bytes; at least 1.

    `gpu` is the memory of the GPU, where there is one.
    """
    sizes = sorted((model.size for model in models), reverse=True)

    def fits(number: int) -> bool:
        return concurrency * _peak(models, number, attention) <= memory and (
            gpu is None or concurrency * (GPU_PROCESS + sum(sizes[:number])) <= gpu
        )

    return max(filter(fits, range(1, len(models) + 1)), default=1)


def models(repository: Repository) -> list[Model]:
    """Return the models of the flags, whether they are there or not, and those of `--models`."""
    found = [
        (repository.text_to_image_model, JobType.TEXT_TO_IMAGE),
        (repository.inpaint_image_model, JobType.INPAINT_IMAGE),
        *((one.path, one.types[0]) for one in repository.models.entries() if one.types),
    ]
    by_file: dict[str, tuple[Path, JobType]] = {}
    for path, job_type in found:
        by_file.setdefault(os.path.realpath(path), (path, job_type))
    return [_model(*each) for each in by_file.values()]


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


@functools.cache
def gpu_memory() -> int | None:
    """Return the bytes of the first NVIDIA GPU; None if there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 (the driver's own program)
            command, capture_output=True, text=True, check=True, timeout=_SECONDS
        )
        return int(done.stdout.split()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _model(checkpoint: Path, job_type: JobType) -> Model:
    try:
        found = checkpoint.stat()
        size = _model_size(checkpoint, found.st_mtime_ns, found.st_size, job_type)
    except OSError:
        return published(job_type, checkpoint)
    return Model(checkpoint, job_type, size)


@functools.lru_cache(maxsize=256)
def _model_size(checkpoint: Path, _changed: int, size: int, job_type: JobType) -> int:
    """Return the bytes of a checkpoint's model; `size` is that of the file.

    The scripts build it in float32, whatever the checkpoint has. The averaged weights (EMA) are
    part of the inpainting model alone. Weights with two names are stored once.
    """
    contents = read(checkpoint)
    if contents is None or not contents.weights:
        return size
    stored = kept = 0
    for name, weight in contents.weights.items():
        count = math.prod(weight.shape)
        stored += count * _ITEM_BYTES.get(weight.dtype, _FLOAT32)
        if job_type is JobType.INPAINT_IMAGE or not name.startswith(EMA):
            kept += count
    return round(_FLOAT32 * kept * min(1.0, size / stored)) if stored else size


def _peak(models: Sequence[Model], number: int, attention: str) -> int:
    """Return the peak memory of a process that keeps any `number` of the models, in bytes.

    A smaller inpainting model may take more than a larger one of text to image, for its first load.
    """
    ordered = sorted(models, key=lambda model: model.size, reverse=True)
    largest_of_type = {model.job_type: model for model in reversed(ordered)}
    return max(
        process_memory(
            [one, *(model for model in ordered if model is not one)][:number], attention=attention
        )
        for one in largest_of_type.values()
    )


def _models_to_keep(repository: Repository) -> list[Model]:
    """Return the models whose checkpoints are there; all where none is."""
    found = models(repository)
    return [model for model in found if model.exists] or found


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
