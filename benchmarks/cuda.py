"""`python -m benchmarks.cuda`: what only a machine with a GPU can show, as one Markdown table.

Warm against bare bytes, `fast` against `exact` attention, memory on the GPU before and after
eviction and keep-alive, a checkpoint in half precision, cancellation. It takes the repository and
the models of `--repository` and so on; `--device cpu` is a dry run without a GPU, in which the
memory is that of the process.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import attention, chosen, direct, document, report
from benchmarks.bare import Bare
from benchmarks.client import LoadError
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.invocation import environment
from sdrest.engine.local.pool import PoolConfig
from sdrest.engine.local.repository import Repository
from sdrest.job_types import JobType

TEXT, IMAGE, INPAINT = JobType
_MIB = 2**20
_SECONDS = 600
_KEEP_ALIVE = 2.0

_HALF = """
import sys, torch
checkpoint = torch.load(sys.argv[1], map_location="cpu")
state = {
    name: value.half() if value.is_floating_point() and name != "alphas_cumprod" else value
    for name, value in checkpoint["state_dict"].items()
}
torch.save({"state_dict": state, "global_step": checkpoint.get("global_step", 0)}, sys.argv[2])
"""
"""Writes a checkpoint in half precision."""

Rows = list[tuple[str, str]]


class Gpu:
    """The memory that processes hold on the GPU, in MiB; that of the process in a dry run."""

    def __init__(self, device: str) -> None:
        self._dry = device == "cpu"

    def __call__(self, pid: int) -> str:
        """Return a text such as `5,120 MiB`."""
        try:
            count = psutil.Process(pid).memory_info().rss / _MIB if self._dry else self._used(pid)
        except psutil.NoSuchProcess:
            count = 0
        return f"{count:,.0f} MiB"

    def _used(self, pid: int) -> float:
        query = ("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
        lines = _output(["nvidia-smi", *query]).splitlines()
        found = (line.split(",") for line in lines if line.strip())
        return sum(float(used) for owner, used in found if int(owner) == pid)


class Measurement:
    """Runs tasks on one repository and collects rows."""

    def __init__(self, place: chosen.Chosen, gpu: Gpu, *, size: int, steps: int) -> None:
        self._repository, self._folder, self._gpu = place.repository, place.folder, gpu
        self._size, self._steps = size, steps
        self._bare = Bare(place.repository, place.folder)
        self.rows: Rows = []

    async def all(self) -> None:
        """Measure everything; a part that fails leaves its error as a row."""
        parts: Sequence[Callable[[], Any]] = (
            self.bytes_of_bare_scripts,
            self.fast_against_exact,
            self.eviction_and_keep_alive,
            self.half_precision,
            self.cancellation,
        )
        for part in parts:
            name = part.__name__.replace("_", " ")
            document.log(name)
            try:
                await part()
            except (LoadError, OSError, subprocess.SubprocessError, psutil.Error) as error:
                self.rows.append((f"**{name} failed**", str(error)[:300]))

    async def bytes_of_bare_scripts(self) -> None:
        """Compare cold and warm jobs of each type with the bare script."""
        executor = self._executor("exact", keep_alive=-1)
        try:
            for number, job_type in enumerate([*JobType, *JobType]):
                values = self._values(job_type, seed=number)
                made = await direct.run(executor, self._task(job_type, values))
                seconds, wanted = await asyncio.to_thread(
                    self._bare.run, job_type, values, (self._size, self._size)
                )
                same = "equal bytes" if made.images == wanted else _differ(made.images, wanted)
                state = (
                    "cold" if number == 0 else "warm process" if number < len(JobType) else "warm"
                )
                self._note(
                    f"{job_type}, {state}, exact",
                    f"{same}; {made.total:.1f} s, bare {seconds:.1f} s",
                )
        finally:
            await executor.close()

    async def fast_against_exact(self) -> None:
        """Compare both kinds of attention, each in a warm process."""
        found: dict[str, direct.Made] = {}
        for kind in ("exact", "fast", "auto"):
            executor = self._executor(kind, keep_alive=-1)
            try:
                for _ in range(2):
                    task = self._task(TEXT, self._values(TEXT, seed=1))
                    found[kind] = await direct.run(executor, task)
                made = found[kind]
                self._note(
                    f"attention {kind} (ran: {made.attention})",
                    f"{made.step:.3f} s a step, {made.decoding:.2f} s after the last step, "
                    f"{made.total:.1f} s in all, {self._gpu(made.pid)}",
                )
            finally:
                await executor.close()
        self._note("fast against exact", _differ(found["fast"].images, found["exact"].images))

    async def eviction_and_keep_alive(self) -> None:
        """Look at the memory when a model makes room for another one, and when a process ends."""
        for models in (1, 2):
            executor = self._executor("auto", keep_alive=_KEEP_ALIVE, models=models)
            try:
                for job_type in (TEXT, INPAINT, TEXT):
                    task = self._task(job_type, self._values(job_type, seed=2))
                    made = await direct.run(executor, task)
                    self._note(
                        f"--max-models {models}, after {job_type}",
                        f"{self._gpu(made.pid)} ({made.total:.1f} s)",
                    )
                while psutil.pid_exists(made.pid):  # noqa: ASYNC110 (no event says it)
                    await asyncio.sleep(0.1)
                self._note(f"--max-models {models}, after the keep-alive", self._gpu(made.pid))
            finally:
                await executor.close()

    async def half_precision(self) -> None:
        """Compare a checkpoint in half precision with the one that it was made of."""
        full = self._repository.text_to_image_model
        half = self._folder / "half.ckpt"
        command = [str(self._repository.python), "-c", _HALF, str(full), str(half)]
        await asyncio.to_thread(_output, command, environment(os.environ, self._repository))
        found = []
        for model in (full, half):
            repository = replace(self._repository, text_to_image_model=model)
            executor = self._executor("auto", keep_alive=-1, repository=repository)
            try:
                found.append(await direct.run(executor, self._task(TEXT, self._values(TEXT, 3))))
                self._note(
                    f"checkpoint of {model.stat().st_size / _MIB:,.0f} MiB ({_kind(model, half)})",
                    f"{self._gpu(found[-1].pid)}, {found[-1].total:.1f} s cold",
                )
            finally:
                await executor.close()
        self._note("half against full precision", _differ(found[1].images, found[0].images))

    async def cancellation(self) -> None:
        """Cancel a job amid sampling; the next one comes out as before, in the same process."""
        executor = self._executor("exact", keep_alive=-1)
        values = self._values(TEXT, seed=4)
        try:
            before = await direct.run(executor, self._task(TEXT, values))
            long = self._task(TEXT, {**values, "steps": 200})
            async with aclosing(executor.run(long)) as events:
                await direct.until_sampling(events)
                start = time.monotonic()
            seconds = time.monotonic() - start
            held = self._gpu(before.pid)
            after = await direct.run(executor, self._task(TEXT, values))
            process = "the same process" if after.pid == before.pid else "another process"
            same = "equal bytes" if after.images == before.images else "OTHER BYTES"
            self._note("cancelled amid sampling", f"{seconds:.2f} s, then {held}")
            self._note("the job after it", f"{same}, {process}, {self._gpu(after.pid)}")
        finally:
            await executor.close()

    def _note(self, what: str, text: str) -> None:
        document.log(f"{what}: {text}")
        self.rows.append((what, text))

    def _executor(
        self,
        kind: str,
        *,
        keep_alive: float,
        models: int = 2,
        repository: Repository | None = None,
    ) -> LocalExecutor:
        config = PoolConfig(keep_alive=keep_alive, max_models=models)
        return LocalExecutor(repository or self._repository, config=config, attention=kind)

    def _values(self, job_type: JobType, seed: int) -> dict[str, Any]:
        values: dict[str, Any] = {"seed": seed, "steps": self._steps}
        if job_type is not INPAINT:
            values["prompt"] = attention.PROMPTS[0]
        if job_type is TEXT:
            values |= {"width": self._size, "height": self._size}
        return values

    def _task(self, job_type: JobType, values: dict[str, Any]) -> direct.Task:
        return direct.task(self._folder, job_type, values, (self._size, self._size))


def _differ(ones: Sequence[bytes], others: Sequence[bytes]) -> str:
    found = [attention.difference(*pair) for pair in zip(ones, others, strict=True)]
    return (
        f"pixels differ by at most {max(one.largest for one in found)} of 255, "
        f"{sum(one.mean for one in found) / len(found):.4f} in the mean"
    )


def _kind(model: Path, half: Path) -> str:
    return "half precision" if model == half else "as given"


def _output(command: list[str], env: dict[str, str] | None = None) -> str:
    """Return what a command prints. Raises OSError or `subprocess.SubprocessError`."""
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=_SECONDS, env=env
    )
    return done.stdout


def main() -> int:
    """Measure, print the table, and return the exit status: 1 where a part failed."""
    parser = chosen.parser("benchmarks.cuda", __doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default cuda")
    parser.add_argument("--size", type=int, default=512, help="of the pictures, default 512")
    parser.add_argument("--steps", type=int, default=20, help="default 20")
    options = parser.parse_args()
    if options.repository is None:
        parser.error("The bundled engine uses no GPU: --repository is needed.")
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with chosen.chosen(options) as place:
        measurement = Measurement(
            place, Gpu(options.device), size=options.size, steps=options.steps
        )
        asyncio.run(measurement.all())
    facts = [options.name, f"{options.size}x{options.size}, {options.steps} steps"]
    if options.device == "cuda":
        query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
        facts.append(_output(["nvidia-smi", *query]).strip())
    else:
        facts.append("a dry run on the CPU, memory of the process in place of the GPU's")
    text = f"{document.heading(*facts)}\n\n{report.table(('What', ''), measurement.rows)}"
    document.publish("cuda", text, dry=options.dry or options.device == "cpu")
    return int(any(what.startswith("**") for what, _ in measurement.rows))


if __name__ == "__main__":
    sys.exit(main())
