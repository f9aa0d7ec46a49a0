"""The two models that the fork loads by name through transformers, and where they may lie.

txt2img.py loads the safety checker, txt2img.py and img2img.py the text encoder: from a folder of
that name in the checkout, from the cache of Hugging Face's hub, else from the network.
"""

import os
from collections.abc import Mapping
from pathlib import Path

TEXT_ENCODER = "openai/clip-vit-large-patch14"
SAFETY_CHECKER = "CompVis/stable-diffusion-safety-checker"

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_FILES = {
    TEXT_ENCODER: ("config.json", "vocab.json", "merges.txt"),
    SAFETY_CHECKER: ("config.json", "preprocessor_config.json"),
}


def found(model: str, root: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder from which the fork in `root` would load a model; None if it is nowhere."""
    folders = [root / model]
    for cache in _caches(environment):
        folders += sorted((cache / f"models--{model.replace('/', '--')}").glob("snapshots/*"))
    return next((folder for folder in folders if complete(model, folder)), None)


def complete(model: str, folder: Path) -> bool:
    """Whether a folder holds what the fork loads; a link into nowhere does not count."""
    return all(_full(folder / name) for name in _FILES[model]) and any(
        _full(folder / name) for name in _WEIGHTS
    )


def _full(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _caches(environment: Mapping[str, str]) -> list[Path]:
    """Return the hub's caches, in the order in which transformers 4.30 looks for their names."""
    for name in ("TRANSFORMERS_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(name):
            return [Path(environment[name]).expanduser()]
    default = Path(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return [Path(environment.get("HF_HOME") or default).expanduser() / "hub"]
