"""The two models that the fork loads by name through transformers, and where they may lie.

txt2img.py loads the safety checker, txt2img.py and img2img.py the text encoder: from a folder of
that name in the checkout, from the cache of Hugging Face's hub, else from the network. A folder in
the checkout hides the cache and the network, complete or not.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from sdrest.checkpoints.problems import mistake
from sdrest.errors import Failure, FailureCode

TEXT_ENCODER = "openai/clip-vit-large-patch14"
SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"

TITLES = {TEXT_ENCODER: "text encoder", SAFETY_CHECKER: "safety checker"}
"""What messages call each model."""

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Files of weights, the one that transformers prefers first."""

_FILES = {
    TEXT_ENCODER: ("config.json", "vocab.json", "merges.txt"),
    SAFETY_CHECKER: ("config.json", "preprocessor_config.json"),
}
_REMEDY = "Run `sdrest setup` on the server's machine."


def found(model: str, root: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder from which the fork in `root` would load a model; None if it could not."""
    folder = located(model, root, environment)
    return folder if folder and complete(model, folder) else None


def located(model: str, root: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder that the fork in `root` would use, complete or not; None if it has none."""
    if (root / model).is_dir():
        return root / model
    cached = snapshots(model, environment)
    return next((folder for folder in cached if complete(model, folder)), next(iter(cached), None))


def snapshots(model: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the folders of a model in the hub's cache."""
    name = f"models--{model.replace('/', '--')}"
    return sorted((cache_of(environment) / name).glob("snapshots/*"))


def complete(model: str, folder: Path) -> bool:
    """Whether a folder holds what the fork loads, undamaged as far as a second can show."""
    return not _missing(model, folder) and _damage(folder) is None


def damaged_files(folder: Path) -> dict[Path, str]:
    """Return the files of a model's folder that cannot be loaded, each with its fault."""
    faults = {path: _damage_of(path) for path in sorted(folder.iterdir()) if path.is_file()}
    return {path: fault for path, fault in faults.items() if fault}


def problem(model: str, root: Path, environment: Mapping[str, str] = os.environ) -> Failure | None:
    """Return why the fork in `root` cannot load a model without the network, if it cannot.

    The message names the model and what is missing or damaged; it may hold the path of its folder.
    """
    title = f"The {TITLES[model]} ({model})"
    folder = located(model, root, environment)
    if folder is None:
        return Failure(
            FailureCode.MODEL_MISSING,
            f"{title} is missing, and the script cannot fetch it from the network. {_REMEDY}",
        )
    missing = _missing(model, folder)
    if missing:
        return Failure(
            FailureCode.MODEL_MISSING,
            f"{title} is incomplete: {folder} has no {missing}. {_REMEDY}",
        )
    damage = _damage(folder)
    if damage is None:
        return None
    return Failure(
        FailureCode.MODEL_INVALID, f"{title} in {folder} is damaged: {damage}. {_REMEDY}"
    )


def cache_of(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the hub's cache, whose place has the names that transformers 4.30 looks for."""
    names = ("TRANSFORMERS_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    named = next((environment[name] for name in names if environment.get(name)), None)
    if named is None:
        default = Path(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
        named = str(Path(environment.get("HF_HOME") or default, "hub"))
    return Path(os.path.expanduser(named))  # noqa: PTH111 (Path's raises where there is no home)


def _missing(model: str, folder: Path) -> str | None:
    """Return what a folder lacks. A link into nowhere does not count as a file."""
    absent = [name for name in _FILES[model] if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _WEIGHTS):
        absent.append(_WEIGHTS[-1])
    return ", ".join(absent) or None


def _damage(folder: Path) -> str | None:
    """Return which file of a folder cannot be loaded, and why."""
    damaged = damaged_files(folder)
    return next((f"{path.name} {reason}" for path, reason in damaged.items()), None)


def _damage_of(path: Path) -> str | None:
    if path.stat().st_size == 0:
        return "is empty"
    if path.suffix == ".json":
        return None if _is_json(path) else "is not valid JSON"
    if path.name not in _WEIGHTS:
        return None
    reason, _, _ = (mistake(path) or "").partition(". ")  # without its remedy
    return reason or None


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True
