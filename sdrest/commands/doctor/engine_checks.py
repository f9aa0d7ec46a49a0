"""Check what runs the jobs: the repository, its Python, scripts and models."""

import hashlib
import importlib.resources
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sdrest.checkpoints.contents import read, read_safetensors
from sdrest.checkpoints.kinds import TYPES
from sdrest.checkpoints.recognition import recognise
from sdrest.commands.doctor.asking import PROBE_SECONDS, ask
from sdrest.commands.doctor.attention import attention_finding
from sdrest.commands.doctor.findings import Finding, failure, ok, warning
from sdrest.commands.gpu import has_nvidia_gpu
from sdrest.engine.local import hub_models
from sdrest.engine.local.failures.imports import module_package
from sdrest.engine.local.repository import (
    INPAINT_CONFIG,
    TEXT_TO_IMAGE_CONFIG,
    Repository,
    every_problem,
    model_flag,
)
from sdrest.engine.runner import weights
from sdrest.engine.runner.checkpoint_formats import averaged_name, is_safetensors
from sdrest.engine.runner.weights import Need
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from sdrest.settings import AUTO

MODULES = (
    *("numpy", "PIL", "tqdm", "torch", "torchvision", "einops", "omegaconf", "cv2"),
    *("pytorch_lightning", "transformers", "diffusers", "imwatermark", "taming", "clip"),
    *("kornia", "ldm", "main"),
)
"""What the fork's scripts import, directly or through its own modules."""

BUNDLED_MODULES = ("numpy", "PIL", "tqdm")
"""What the bundled engine's scripts import."""

_CONFIGS = {
    JobType.TEXT_TO_IMAGE: "configs/stable-diffusion/v1-inference.yaml",
    JobType.INPAINT_IMAGE: str(INPAINT_CONFIG),
}
"""Configurations of the networks, relative to the repository."""

_SETUP = "Run `sdrest setup`."


@dataclass(frozen=True)
class EngineChecks:
    """Checks of `repository` with `--attention`. Its Python runs for `probe_seconds` at most.

    `lost_models` is the folder that `--models` names, if there is none.
    """

    repository: Repository
    attention: str = AUTO
    probe_seconds: float = PROBE_SECONDS
    lost_models: str = ""

    def repository_there(self) -> Iterator[Finding]:
        """Whether the repository exists."""
        if self.repository.bundled:
            yield warning("There is no fork: the bundled engine draws simple scenes.", _SETUP)
            return
        wrong = list(self._start_problems(FailureCode.REPOSITORY_MISSING))
        yield from wrong or [ok(f"{self.repository.root} is there.")]

    def scripts(self) -> Iterator[Finding]:
        """Whether the scripts exist, and whether they are the published ones."""
        if not self.repository.root.is_dir():
            yield failure("There is no repository that could hold them.", _SETUP)
            return
        yield from self._start_problems(FailureCode.SCRIPT_MISSING)
        if self.repository.bundled:
            yield ok("The bundled ones are used.")
            return
        data = importlib.resources.files("sdrest.commands.doctor") / "scripts.json"
        for name, known in json.loads(data.read_text("utf-8")).items():
            path = self.repository.root / name
            if not path.is_file():
                continue  # reported above
            yield from self._lacking_config(name)
            if hashlib.sha256(path.read_bytes()).hexdigest() == known:
                yield ok(f"{name} is as published.")
            else:
                yield warning(
                    f"{name} is not the published one.",
                    "Jobs may fail in new ways; to undo edits: git checkout -- scripts",
                )

    def _lacking_config(self, name: str) -> Iterator[Finding]:
        """Yield a failure if a script names a configuration that does not exist."""
        config = TEXT_TO_IMAGE_CONFIG  # `scripts` checks that of inpaint.py
        named = config.encode() in (self.repository.root / name).read_bytes()
        if named and not (self.repository.root / config).is_file():
            yield failure(
                f"The repository has no {config}, which {name} loads.",
                f"Restore it: git -C {self.repository.root} checkout -- {config}",
            )

    def python(self) -> Iterator[Finding]:
        """Whether the Python that runs the scripts starts."""
        wrong = list(self._start_problems(FailureCode.PYTHON_MISSING))
        yield from wrong
        if wrong:
            return
        if isinstance(self._probe, str):
            yield failure(
                f"{self.repository.python} does not work: {self._probe}",
                "Make its virtual environment again, for example with `sdrest setup`.",
            )
        else:
            version = ".".join(map(str, self._probe["version"]))
            yield ok(f"{self.repository.python} is Python {version}.")

    def imports(self) -> Iterator[Finding]:
        """Whether that Python has every module that the scripts import."""
        if not isinstance(self._probe, dict):
            yield failure("Without a working Python nothing can be imported.", _SETUP)
            return
        missing = {name: text for name, text in self._probe["modules"].items() if text}
        for name, text in missing.items():
            yield failure(f"{name} cannot be imported: {text}.", self._install(name))
        if not missing:
            yield ok(f"{len(self._probe['modules'])} modules can be imported.")

    def device(self) -> Iterator[Finding]:
        """Whether torch can use a GPU."""
        if self.repository.bundled:
            yield ok("The bundled engine needs none.")
        elif not isinstance(self._probe, dict) or "torch" not in self._probe:
            yield failure("Without torch the device is unknown.", _SETUP)
        elif self._probe["cuda"] or self._probe["mps"]:
            name = "CUDA" if self._probe["cuda"] else "MPS"
            yield ok(f"torch {self._probe['torch']} sees a GPU ({name}).")
        elif has_nvidia_gpu():
            yield warning(
                f"torch {self._probe['torch']} does not see this machine's NVIDIA GPU.",
                "Run `sdrest setup --torch-build cuda`; see that the driver is recent enough.",
            )
        else:
            yield warning(
                f"torch {self._probe['torch']} sees no GPU: a picture takes minutes.",
                "See that the driver is installed, and that torch is a build for this GPU.",
            )

    def attention_used(self) -> Iterator[Finding]:
        """Which attention the scripts would use; nothing without torch."""
        if not self.repository.bundled and isinstance(self._probe, dict) and "torch" in self._probe:
            yield attention_finding(self.attention, self._probe)

    def checkpoints(self) -> Iterator[Finding]:
        """Whether both checkpoints exist and contain the weights that the scripts need."""
        wrong = [
            *self._start_problems(FailureCode.MODEL_MISSING),
            *self._start_problems(FailureCode.MODEL_INVALID),
        ]
        if not (wrong or self.repository.bundled):
            wrong = list(self._unusable())
        yield from wrong or [ok("Both checkpoints look right; only loading them proves it.")]

    def models(self) -> Iterator[Finding]:
        """Whether the files in the folder of models can be used."""
        if self.lost_models:
            missing = f"There is no folder {self.lost_models} (--models)."
            yield failure(missing, "Make it, or name another one.")
            return
        found = [one for one in self.repository.models.entries() if not one.trusted]
        if self.repository.bundled:
            yield ok("The bundled engine needs none.")
            return
        for one in found:
            if not one.usable:
                yield warning(f"{one.file} cannot be used.", one.reason)
        names = ", ".join(one.name for one in found if one.usable)
        yield ok(f"Requests may name: {names}." if names else "Requests can name none.")

    def _unusable(self) -> Iterator[Finding]:
        """Yield failures about the weights in the checkpoints."""
        networks = self._networks if isinstance(self._networks, dict) else {}
        for job_type, config in _CONFIGS.items():
            needed = [
                Need(tuple(names), shape and tuple(shape))
                for names, shape in networks.get(config, {}).get("needs", ())
            ]
            wrong = weights_problem(self.repository.model(job_type), needed)
            if wrong:
                yield failure(f"The model checkpoint ({model_flag(job_type)}) {wrong}")

    @cached_property
    def _networks(self) -> dict[str, Any] | str:
        """The weights that the configured networks need, or why they are unknown."""
        return self._run("network_program.py", weights.__file__, *_CONFIGS.values())

    def hub_models(self) -> Iterator[Finding]:
        """Whether the models that the fork loads by name are on this machine."""
        if self.repository.bundled:
            yield ok("The bundled engine needs none.")
            return
        for model in (hub_models.TEXT_ENCODER, hub_models.SAFETY_CHECKER):
            place = hub_models.located(model, self.repository.root)
            wrong = hub_models.problem(model, self.repository.root) if place else None
            if wrong:
                yield failure(wrong.message)
            elif place:
                yield ok(f"{model} is in {place}.")
            else:
                yield warning(
                    f"{model} is not here: the first job fetches it, which needs the network.",
                    _SETUP,
                )

    def _start_problems(self, code: FailureCode) -> Iterator[Finding]:
        """Yield the failures with this code that the server reports at its start."""
        for problem in every_problem(self.repository):
            if problem.code is code:
                yield failure(problem.local_message)

    def _install(self, module: str) -> str:
        if module in {"ldm", "main"}:
            return "Check the repository out again; its own modules are not complete."
        return f"{self.repository.python} -m pip install {module_package(module)}, or {_SETUP}"

    @cached_property
    def _probe(self) -> dict[str, Any] | str:
        """Version, modules and devices of the repository's Python, or why they are unknown."""
        return self._run(
            "probe_program.py", *(BUNDLED_MODULES if self.repository.bundled else MODULES)
        )

    def _run(self, name: str, *arguments: str) -> dict[str, Any] | str:
        return ask(self.repository, name, *arguments, seconds=self.probe_seconds)


def weights_problem(path: Path, needed: Sequence[Need]) -> str | None:
    """Return what is wrong with a checkpoint, in a job's words; None if nothing is known."""
    contents = read_safetensors(path) if is_safetensors(path) else read(path)
    if contents is None:
        return None
    given = contents.weights
    if recognise(path) in TYPES:
        names = {name for need in needed for name in need.names if name not in given}
        averaged = {name: averaged_name(name) for name in names if name.startswith(weights.UNET)}
        given = {
            **given, **{name: given[other] for name, other in averaged.items() if other in given}
        }  # fmt: skip
    elif not contents.has_state_dict:
        unknown = f"has no entry state_dict. {weights.REMEDY}"
        return weights.missing_state_dict_problem(given) or unknown
    schedule = given.get(weights.SCHEDULE)
    wrong = weights.problem(needed, given)
    if wrong or schedule is None or schedule.dtype != weights.BFLOAT16:
        return wrong
    return weights.schedule_problem([1.0], schedule.dtype)
