"""Turn a task into the command line of a script. Pure.

Facts on the scripts: their options and file names as in `scripts/*.py` of the fork's branch
`apple-silicon-mps-support`.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdrest.checkpoints.catalog import Checkpoint
from sdrest.engine.base import Task
from sdrest.engine.local.progress import SAMPLING, UNNAMED
from sdrest.engine.local.repository import INPAINT_CHECKPOINT, INPAINT_CONFIG, Repository
from sdrest.job_types import Sampler
from sdrest.params import ImageToImage, InpaintImage, Option, Params, TextToImage
from sdrest.pictures import SCRIPT_IMAGE_NAME, SCRIPT_MASK_NAME
from sdrest.sampling_steps import sampled_steps

ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",  # bars and warnings in the order in which they are written
    "PYTHONUTF8": "1",  # in an ASCII locale bars are drawn with #, and prompts are not read
    "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # torch 2.6 and later refuse Lightning's checkpoints
}
"""What the scripts' environment needs besides the server's."""

BUNDLED_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
"""What the bundled engine has besides, unless the server's environment says otherwise.

Its matrix products are many and small: threads for each cost more than they save (inpainting took
1.3 times as long). Its scripts cannot set it, since the runner may have imported NumPy before.
"""

_FOREIGN_VARIABLES = ("COLUMNS", "LINES", "PYTHONHOME", "PYTHONOPTIMIZE", "__PYVENV_LAUNCHER__")
_FOREIGN_PREFIXES = ("TQDM_", "SDREST_", "COVERAGE_")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of a script.

    `inputs` is the folder for the fitted pictures, or None. `links` are symbolic links to make
    before the start, place to target. `images` are the files that the script writes, in order.
    `seed` is what to seed from outside, where the script cannot. `takes_precision` says whether the
    script knows `--precision`. `sampling` is for `engine.runner.sampling`. `temporary` says that
    `cwd` is a folder of this run outside the task's work folder. `trusted` says that the pickle of
    the checkpoint is loaded as the script does, whatever it calls.
    """

    script: Path
    checkpoint: Path
    arguments: tuple[str, ...]
    cwd: Path
    images: tuple[Path, ...]
    outer_bar: str = SAMPLING
    batches: int = 1
    batch_size: int = 1
    inputs: Path | None = None
    links: Mapping[Path, Path] = field(default_factory=dict)
    seed: int | None = None
    takes_precision: bool = True
    sampling: Mapping[str, object] = field(default_factory=dict)
    temporary: bool = False
    trusted: bool = True


def plan(task: Task, repository: Repository, chosen: Checkpoint | None = None) -> Invocation:
    """Return how to run `task` with the scripts of `repository`, and the checkpoint it names."""
    params = task.params
    checkpoint = chosen.path if chosen else repository.model(params.type)
    match params:
        case TextToImage() | ImageToImage():
            invocation = _plan_sampling(task, params, repository, checkpoint)
        case InpaintImage():
            invocation = _plan_inpainting(task, params, repository, checkpoint)
    return replace(
        invocation,
        sampling={**invocation.sampling, "previews": task.previews},
        trusted=chosen is None or chosen.trusted or repository.allow_pickle,
    )


def _plan_sampling(
    task: Task, params: TextToImage | ImageToImage, repository: Repository, checkpoint: Path
) -> Invocation:
    output = task.workdir / "output"
    inputs = task.workdir / "inputs" if isinstance(params, ImageToImage) else None
    changes = dict(
        _sampling_changes(params, inputs / SCRIPT_MASK_NAME if inputs and task.mask else None)
    )
    own = changes if repository.bundled else {}
    return Invocation(
        script=repository.script(params.type),
        checkpoint=checkpoint,
        arguments=(
            *_options(params, seed=task.seed),
            *([f"--init-img={inputs / SCRIPT_IMAGE_NAME}"] if inputs else []),
            *(f"--{name}={value}" for name, value in own.items()),
            f"--ckpt={checkpoint}",
            f"--outdir={output}",
            "--skip_grid",
        ),
        cwd=repository.root,  # configs and the safety checker are relative to it
        images=tuple(output / "samples" / f"{n:05}.png" for n in range(params.total_images)),
        batches=params.iterations,
        batch_size=params.batch_size,
        inputs=inputs,
        sampling={} if repository.bundled else changes,
    )


def _sampling_changes(
    params: TextToImage | ImageToImage, mask: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield what the fork's scripts have no option for, by name.

    The runner changes how they sample; the bundled engine's scripts have options of these names.
    """
    if params.negative_prompt and params.guidance_scale != 1:  # 1: they ask for no other prompt
        yield "negative_prompt", _argument(params.negative_prompt)
    if mask:
        yield "mask", str(mask)


def _plan_inpainting(
    task: Task, params: InpaintImage, repository: Repository, checkpoint: Path
) -> Invocation:
    """Give inpaint.py a working directory of its own, the only way to choose its checkpoint.

    Its pair of pictures is named relative to that: the script takes the path for a glob pattern,
    and `[` in it would match nothing.
    """
    cwd = task.workdir / "run"
    output = task.workdir / "output"
    return Invocation(
        script=repository.script(params.type),
        checkpoint=checkpoint,
        arguments=(*_options(params), "--indir=inputs", f"--outdir={output}"),
        cwd=cwd,
        images=(output / SCRIPT_IMAGE_NAME,),
        outer_bar=UNNAMED,
        inputs=cwd / "inputs",
        links={
            cwd / INPAINT_CONFIG: repository.root / INPAINT_CONFIG,
            cwd / INPAINT_CHECKPOINT: checkpoint,
        },
        seed=task.seed,
        takes_precision=False,
    )


def _options(params: Params, *, seed: int | None = None) -> Iterator[str]:
    """Yield the options that carry parameters, each in one argument: a prompt may begin with -."""
    for name, info in type(params).model_fields.items():
        option = next((item for item in info.metadata if isinstance(item, Option)), None)
        if option is None:
            continue
        value = getattr(params, name)
        if name == "seed":
            if seed is None:  # the script has no such option
                continue
            value = seed
        elif name == "strength":
            value = usable_strength(value, params.steps)
        elif name == "prompt":
            value = _argument(value)
        yield f"{option.name}={value}"
    if isinstance(params, TextToImage) and params.sampler is Sampler.PLMS:
        yield "--plms"


def _argument(prompt: str) -> str:
    """Return a prompt as a script gets it: argparse of Python 3.11 drops `--` even behind =."""
    return "-- " if prompt == "--" else prompt  # CLIP strips spaces


def usable_strength(strength: float, steps: int) -> float:
    """Return the strength nearest to `strength` that img2img.py can do with `steps`.

    It noises the image by `int(strength * steps)` steps, and that must be less than the steps
    which the sampler has: with 8 steps a strength of 1.0 fails, and 7 steps of noise are the most.
    """
    most = sampled_steps(steps) - 1
    if int(strength * steps) <= most:
        return strength
    return (most + 0.5) / steps  # in the middle, so that int() gives `most` whatever is rounded


def environment(server: Mapping[str, str], repository: Repository) -> dict[str, str]:
    """Return the environment of the scripts: the server's, without what would disturb them."""
    kept = {
        name: value
        for name, value in server.items()
        if name not in _FOREIGN_VARIABLES and not name.startswith(_FOREIGN_PREFIXES)
    }
    search = [str(repository.root), *filter(None, [kept.get("PYTHONPATH")])]
    usual = BUNDLED_ENVIRONMENT if repository.bundled else {}
    return {**usual, **kept, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(search)}
