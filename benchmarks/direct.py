"""Tasks on an executor of this process, without a server."""

import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import uploads
from benchmarks.bare import answered
from benchmarks.client import LoadError
from sdrest.engine.base import Event, Executor, Finished, ImageReady, Progress, Started, Task
from sdrest.job_types import JobType
from sdrest.params import validate
from sdrest.sampling_steps import sampled_steps


@dataclass(frozen=True, slots=True)
class Made:
    """A task's PNGs, how its attention was computed, and its figures in seconds and bytes.

    `step` is one step of sampling, `step_cpu` the processor time of all its threads, `decoding` the
    time from the last step to the first image, `peak` the most memory (RSS) of the process so far.
    """

    images: list[bytes]
    attention: str
    total: float
    step: float
    step_cpu: float
    decoding: float
    peak: int
    pid: int


def task(
    folder: Path, job_type: JobType, values: Mapping[str, Any], size: uploads.Size = uploads.SIZE
) -> Task:
    """Return the task of a job with a seed, in a new folder below `folder`."""
    place = Path(tempfile.mkdtemp(dir=folder))
    workdir = place / "work"
    workdir.mkdir()
    sent: dict[str, Any] = uploads.write(job_type, place, size)
    params = validate(job_type, values)
    return Task(id=place.name, params=params, seed=int(values["seed"]), workdir=workdir, **sent)


async def run(executor: Executor, wanted: Task) -> Made:
    """Run a task to its end. Raises `LoadError` where it fails."""
    images: list[bytes] = []
    attention, pid, peak, decoded = "", 0, 0, 0.0
    bars: list[tuple[float, float, float]] = []
    start = time.monotonic()
    async with aclosing(executor.run(wanted)) as events:
        async for event in events:
            now = time.monotonic()
            match event:
                case Started(runner=runner):
                    pid = int(runner)
                case Progress(index=1, fraction=fraction):
                    bars.append((now, fraction, _processor_time(pid)))
                case ImageReady(path=path):
                    decoded = decoded or now
                    attention, peak = event.attention, most_memory(pid)
                    images.append(answered(path, wanted))
                case Finished(failure=failure, peak_rss=seen):
                    if failure:
                        raise LoadError(failure.local_message)
                    peak = max(peak, seen or 0)
    drawn = [bar for bar in bars if bar[1] < 1] or [(start, 0.0, 0.0)]
    (first, begun, cpu_before), (last, done, cpu_after) = drawn[0], drawn[-1]
    share = done - begun
    seconds, cpu = (last - first, cpu_after - cpu_before) if share else (0.0, 0.0)
    steps = sampled_steps(wanted.params.steps) * (share or 1)
    return Made(
        images=images,
        attention=attention,
        total=time.monotonic() - start,
        step=seconds / steps,
        step_cpu=cpu / steps,
        decoding=decoded - last - seconds / (share or 1) * (1 - done),
        peak=peak,
        pid=pid,
    )


async def until_sampling(events: AsyncGenerator[Event, None]) -> None:
    """Consume the events of a task until its script has made a step."""
    async for event in events:
        if isinstance(event, Progress) and event.fraction > 0:
            return
    raise LoadError("The script ended before it made a step.")


def _processor_time(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def most_memory(pid: int) -> int:
    """Return the most memory (RSS) of a process so far, in bytes; 0 where no /proc says it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
