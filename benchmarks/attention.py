"""`python -m benchmarks.attention`: PyTorch's attention against that of the fork's scripts.

For text to image: how much the pixels differ, the time of a step, and the most memory.
"""

import asyncio
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import chosen, direct, document, report
from benchmarks.chosen import Chosen
from benchmarks.client import LoadError
from sdrest.engine.local.executor import LocalExecutor
from sdrest.engine.local.pool import PoolConfig
from sdrest.job_types import JobType
from sdrest.settings import ATTENTIONS

_AUTO, *_KINDS = ATTENTIONS
_PROMPT_SIZE, _PROMPT_STEPS = 256, 8
_SUBJECTS = ("a lighthouse", "a red house", "an astronaut", "two cats", "a bowl of fruit", "")
_STYLES = ("", ", oil painting", " at night, in the rain", ", a photograph, 35 mm")
PROMPTS = [f"{subject}{style}" for subject in _SUBJECTS for style in _STYLES]
_HEAD = (
    *("Picture", "attention", "a step", "its processor time", "after the last step"),
    *("whole, cold", "most memory"),
)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Difference:
    """How much two pictures differ, in values from 0 to 255, and their shares of equal pixels."""

    largest: int
    mean: float
    equal: float


def difference(one: bytes, other: bytes) -> Difference:
    """Compare two PNGs of the same size."""
    first, second = _pixels(one), _pixels(other)
    apart = np.abs(first - second)
    return Difference(int(apart.max()), float(apart.mean()), float((apart == 0).mean()))


def _pixels(png: bytes) -> npt.NDArray[np.int16]:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=np.int16)


def main() -> int:
    """Measure what the arguments ask for and return the exit status."""
    parser = chosen.parser("benchmarks.attention", __doc__)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help=f"default {len(PROMPTS)}")
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024], help="of the figures")
    parser.add_argument("--steps", type=int, default=4, help="of the figures, default 4")
    parser.add_argument("--section", default="attention", help="of docs/benchmarks.md")
    options = parser.parse_args()
    if options.repository is None:
        parser.error("The bundled engine has no attention: --repository is needed.")
    with chosen.chosen(options) as place:
        text = asyncio.run(
            _measure(place, PROMPTS[: options.prompts], options.sizes, options.steps)
        )
    head = document.heading(options.name, f"figures with {options.steps} steps")
    document.publish(options.section, f"{head}\n\n{text}", dry=options.dry)
    return 0


async def _measure(place: Chosen, prompts: Sequence[str], sizes: Sequence[int], steps: int) -> str:
    tables = []
    if prompts:
        tables.append(await _differences(place, prompts))
    if sizes:
        tables.append(await _figures(place, sizes, steps))
    return "\n".join(tables)


async def _differences(place: Chosen, prompts: Sequence[str]) -> str:
    """Return a table of the pixels of `auto` against those of `exact`."""
    pictures: dict[str, list[bytes]] = {}
    for kind in ("exact", _AUTO):
        executor = _executor(place, kind, keep_alive=-1)
        try:
            pictures[kind] = []
            for seed, prompt in enumerate(prompts):
                made = await direct.run(
                    executor, _task(place, prompt, _PROMPT_SIZE, _PROMPT_STEPS, seed)
                )
                pictures[kind] += made.images
                document.log(f"{kind} ({made.attention}), {prompt!r}: {made.total:.1f} s")
        finally:
            await executor.close()
    found = [difference(*pair) for pair in zip(*pictures.values(), strict=True)]
    rows = [
        ("Pictures", f"{len(found)}, {_PROMPT_SIZE}x{_PROMPT_SIZE}, {_PROMPT_STEPS} steps"),
        ("`auto` was", made.attention),
        ("Largest difference of any pixel", f"{max(one.largest for one in found)} of 255"),
        ("Mean difference", f"{np.mean([one.mean for one in found]):.5f}"),
        ("Equal values", f"{np.mean([one.equal for one in found]):.2%}"),
        ("Pictures without any difference", str(sum(one.largest == 0 for one in found))),
    ]
    return report.table(("`auto` against `exact`", ""), rows)


async def _figures(place: Chosen, sizes: Sequence[int], steps: int) -> str:
    """Return a table of times and memory, each picture in a process of its own."""
    rows = []
    for size in sizes:
        for kind in _KINDS:
            executor = _executor(place, kind, keep_alive=0)
            try:
                made = await direct.run(executor, _task(place, PROMPTS[0], size, steps, seed=1))
            except LoadError as error:
                rows.append((f"{size}x{size}", kind, "", "", "", "", str(error).split(".")[0]))
            else:
                rows.append(tuple(_cells(size, kind, made)))
            finally:
                await executor.close()
            document.log(" | ".join(rows[-1]))
    return report.table(_HEAD, rows)


def _cells(size: int, kind: str, made: direct.Made) -> Iterator[str]:
    yield f"{size}x{size}"
    yield kind
    for seconds in (made.step, made.step_cpu, made.decoding, made.total):
        yield f"{report.number(seconds)} s"
    yield f"{made.peak / _MIB:,.0f} MiB"


def _executor(place: Chosen, attention: str, *, keep_alive: float) -> LocalExecutor:
    config = PoolConfig(keep_alive=keep_alive)
    return LocalExecutor(place.repository, config=config, attention=attention)


def _task(place: Chosen, prompt: str, size: int, steps: int, seed: int) -> direct.Task:
    values = {"prompt": prompt, "width": size, "height": size, "steps": steps, "seed": seed}
    return direct.task(place.folder, JobType.TEXT_TO_IMAGE, values)


if __name__ == "__main__":
    sys.exit(main())
