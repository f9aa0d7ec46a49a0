"""Recognises what a file is by its content, whatever its name: a checkpoint, or something else."""

import zipfile
from pathlib import Path

from sdrest.checkpoints import contents
from sdrest.checkpoints.contents import ZIP, Contents
from sdrest.checkpoints.kinds import TYPES
from sdrest.engine.runner.checkpoint_formats import is_safetensors
from sdrest.engine.runner.weights import BFLOAT16, EMA, SCHEDULE, UNET, code_and_kind

_HEAD = 512
_VAE = "first_stage_model.decoder."
_AVERAGED_FIRST_LAYER = EMA + "diffusion_modelinput_blocks00weight"
_FIRST_LAYER = UNET + "input_blocks.0.0.weight"

DIFFUSERS_INDEX = "model_index.json"
"""The file that makes a folder a model in the format of diffusers."""


def recognise(path: Path) -> str:
    """Return the kind of a file or folder, a key of `kinds.TYPES` or of `kinds.REASONS`."""
    try:
        if path.is_dir():
            return "diffusers-folder"
        path.stat()
        return _recognise_file(path) if path.is_file() else "not-a-file"  # a FIFO would block
    except FileNotFoundError:
        return "dangling-link" if path.is_symlink() else "unreadable"
    except OSError:
        return "unreadable"


def _recognise_file(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    kind = kind_of_head(head)
    if kind:
        return kind
    if is_safetensors(path):
        return _kind(contents.read_safetensors(path), path.stat().st_size, "damaged")
    if head.startswith(ZIP):
        if not zipfile.is_zipfile(path):
            return "truncated"
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                return "torchscript"
    return _kind(contents.read(path), path.stat().st_size, "unknown")


def kind_of_head(head: bytes) -> str:
    """Return the kind of a file whose first bytes show that it is not a checkpoint; else ''."""
    text = head.lstrip()
    if not text:
        return "empty"
    if text.startswith(b"version https://git-lfs"):
        return "lfs-pointer"
    if text.startswith(b"<"):
        return "web-page"
    return "gguf" if text.startswith(b"GGUF") else ""


def _kind(found: Contents | None, size: int, otherwise: str) -> str:
    """Return the kind of a file of `size` bytes that was read; `otherwise` if it cannot be."""
    if found is None:
        return otherwise
    if found.least_size > size:
        return "truncated"
    weights = dict(found.weights)
    averaged = weights.get(_AVERAGED_FIRST_LAYER)
    if averaged and _FIRST_LAYER not in weights:
        weights[_FIRST_LAYER] = averaged
    kind, _ = code_and_kind(weights)
    if kind == "empty":
        return "no-weights"
    if kind not in TYPES:
        return "network" if kind == "ema" else kind
    if not any(name.startswith(_VAE) for name in weights):
        return "network"
    schedule = weights.get(SCHEDULE)
    return BFLOAT16 if schedule and schedule.dtype == BFLOAT16 else kind
