"""Where the scripts, their Python and their models are."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sdrest
from sdrest.checkpoints.catalog import Catalog, Checkpoint
from sdrest.checkpoints.problems import problem as checkpoint_problem
from sdrest.errors import Failure, FailureCode
from sdrest.job_types import JobType
from sdrest.paths import expand, expand_home
from sdrest.settings import Settings

SCRIPTS = {
    JobType.TEXT_TO_IMAGE: "scripts/txt2img.py",
    JobType.IMAGE_TO_IMAGE: "scripts/img2img.py",
    JobType.INPAINT_IMAGE: "scripts/inpaint.py",
}
"""The fork's scripts, by the job type that they serve, as they lie in the checkout."""

TEXT_TO_IMAGE_CHECKPOINT = "models/ldm/stable-diffusion-v1/model.ckpt"
"""Where the fork keeps the checkpoint of txt2img.py and img2img.py (their default for --ckpt)."""

INPAINT_CHECKPOINT = "models/ldm/inpainting_big/last.ckpt"
"""Where inpaint.py looks for its checkpoint, relative to its working directory."""

TEXT_TO_IMAGE_CONFIG = "configs/stable-diffusion/v1-inference.yaml"
"""Where txt2img.py and img2img.py look for their configuration, relative to the checkout."""

INPAINT_CONFIG = "models/ldm/inpainting_big/config.yaml"
"""Where inpaint.py looks for its configuration, relative to its working directory."""

_PYTHONS = ("venv/bin/python", ".venv/bin/python")


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout in the fork's shape and what runs it. All paths are absolute.

    `python` is None where there is none. Nothing is promised to exist: see `problem`. `models` are
    the checkpoints that jobs may name; with `allow_pickle` theirs are loaded as the scripts do.
    """

    root: Path
    python: Path | None
    text_to_image_model: Path
    inpaint_image_model: Path
    bundled: bool = False
    models: Catalog = field(default_factory=lambda: Catalog(Path(), {}), compare=False)
    allow_pickle: bool = False

    def script(self, job_type: JobType) -> Path:
        """Return the script that serves jobs of this type."""
        return self.root / SCRIPTS[job_type]

    def model(self, job_type: JobType) -> Path:
        """Return the checkpoint that jobs of this type use."""
        if job_type is JobType.INPAINT_IMAGE:
            return self.inpaint_image_model
        return self.text_to_image_model


def config_of(job_type: JobType) -> str:
    """Return where the script of jobs of this type looks for its configuration in the checkout."""
    return INPAINT_CONFIG if job_type is JobType.INPAINT_IMAGE else TEXT_TO_IMAGE_CONFIG


def model_flag(job_type: JobType) -> str:
    """Return the flag that chooses the checkpoint of jobs of this type."""
    inpainting = job_type is JobType.INPAINT_IMAGE
    return "--inpaint-image-model" if inpainting else "--text-to-image-model"


def locate(settings: Settings) -> Repository:
    """Find what the flags name. Never raises for a missing thing.

    Where `--repository` is not given and its default folder does not exist, the bundled engine is
    used. Where a model's flag is not given and its default file does not exist, the repository's
    own place is used if a file is there.
    """
    root = expand(settings.repository).absolute()
    bundled = "repository" not in settings.given and not _there(root)
    if bundled:
        root = bundled_root()
    text_to_image = _model(settings, "text_to_image_model", default=root / TEXT_TO_IMAGE_CHECKPOINT)
    inpaint = _model(settings, "inpaint_image_model", default=root / INPAINT_CHECKPOINT)
    defaults = {
        job_type: inpaint if job_type is JobType.INPAINT_IMAGE else text_to_image
        for job_type in JobType
    }
    return Repository(
        root=root,
        python=_python(settings, root, bundled=bundled),
        text_to_image_model=text_to_image,
        inpaint_image_model=inpaint,
        bundled=bundled,
        models=Catalog(expand(settings.models).absolute(), defaults, loads=not bundled),
        allow_pickle=settings.allow_pickle,
    )


def bundled_root() -> Path:
    """Return the bundled engine's folder: inside the package, or in a checkout of sdrest."""
    package = Path(sdrest.__file__).resolve().parent
    installed = package / "bundled"
    return installed if installed.is_dir() else package.parent / "vendor" / "tiny-diffusion"


def problems(repository: Repository) -> list[Failure]:
    """Return what would make jobs fail, each once; empty where all is there. Takes milliseconds."""
    found = [problem(repository, job_type) for job_type in JobType]
    return list({failure.message: failure for failure in found if failure}.values())


def every_problem(repository: Repository) -> list[Failure]:
    """Return all that is wrong, each once, also where one thing is wrong because of another."""
    found = [failure for job_type in JobType for failure in _problems(repository, job_type)]
    return list({failure.message: failure for failure in found}.values())


def problem(
    repository: Repository, job_type: JobType, chosen: Checkpoint | None = None
) -> Failure | None:
    """Return the first thing that would make jobs of this type fail, if there is one.

    `chosen` is the checkpoint that a job names.
    """
    return next(_problems(repository, job_type, chosen), None)


def _problems(
    repository: Repository, job_type: JobType, chosen: Checkpoint | None = None
) -> Iterator[Failure]:
    if not _there(repository.root):
        yield Failure(
            FailureCode.REPOSITORY_MISSING,
            "The Stable Diffusion repository is missing. Clone it, and start the server with "
            "--repository followed by its folder.",
            path=repository.root,
        )
    needed = [SCRIPTS[job_type]]
    if job_type is JobType.INPAINT_IMAGE:
        needed.append(INPAINT_CONFIG)
    for name in needed:
        if not _there(repository.root / name):
            yield Failure(
                FailureCode.SCRIPT_MISSING,
                f"The repository has no {name}. Check out the branch apple-silicon-mps-support of "
                "https://github.com/bfirsh/stable-diffusion.git there.",
                path=repository.root / name,
            )
    if repository.python is None or not os.access(repository.python, os.X_OK):
        yield Failure(
            FailureCode.PYTHON_MISSING,
            "There is no Python to run the scripts. Make a virtual environment in the repository "
            "(python3 -m venv venv) and install its requirements there, or start the server with "
            "--python.",
            path=repository.python,
        )
    if chosen is None:
        failure = checkpoint_problem(repository.model(job_type), flag=model_flag(job_type))
        if failure:
            yield failure


def _python(settings: Settings, root: Path, *, bundled: bool) -> Path | None:
    if settings.python:
        program = expand_home(settings.python)
        return Path(shutil.which(program) or program).absolute()  # a path, or a name on PATH
    if bundled:
        return Path(sys.executable)
    # Not resolved: a virtual environment is known by where its link lies.
    return next((root / name for name in _PYTHONS if _there(root / name)), None)


def _model(settings: Settings, name: str, *, default: Path) -> Path:
    path = expand(str(getattr(settings, name))).absolute()
    if name not in settings.given and not _there(path) and _there(default):
        return default
    return path


def _there(path: Path) -> bool:
    """Whether `path` exists and can be seen. Unlike `Path.exists` it never raises."""
    return os.access(path, os.F_OK)
