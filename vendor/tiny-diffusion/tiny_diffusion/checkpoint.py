"""The model's constants: a config and a checkpoint, in the places where the fork keeps them.

There is no trained network here, so the "checkpoint" is a small JSON file that a person can read,
and the configs are the part of YAML that is JSON. What the two say together is the model.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT = Path(__file__).resolve().parent.parent


class CheckpointError(Exception):
    """The file is not a checkpoint of this engine."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model: its constants by name, and how long it was trained, if the file has it."""

    constants: Mapping[str, float]
    global_step: int | None


def default_path(path: str) -> str:
    """Return `path` if the working directory has it, as in the fork; else the checkout's own.

    A dangling link counts as there: a checkpoint that was chosen and is gone is an error.
    """
    return path if os.path.lexists(path) else str(CHECKOUT / path)


def read_config(path: str) -> Mapping[str, float]:
    """Return `model.params` of the config at `path`."""
    config: dict[str, Any] = json.loads(Path(path).read_bytes())
    params: dict[str, float] = config["model"]["params"]
    return params


def load(path: str, config: str) -> Checkpoint:
    """Return the model that the config at `config` shapes and the checkpoint at `path` fills.

    As with the fork's `load_state_dict(strict=False)`, constants that the checkpoint lacks keep the
    config's value. Whole numbers are shapes, and there both must agree.

    Raises FileNotFoundError, IsADirectoryError, EOFError (empty file), CheckpointError (something
    else than a checkpoint), json.JSONDecodeError (cut off), KeyError (no state dict) and
    RuntimeError (the checkpoint of another model).
    """
    constants = dict(read_config(config))
    saved = _read(path)
    for name, value in saved["state_dict"].items():
        shape: Any = constants.get(name)
        if isinstance(shape, int) and value != shape:
            raise RuntimeError(
                f"Error(s) in loading state_dict: size mismatch for {name}: "
                f"{value} in the checkpoint, {shape} in the model."
            )
        constants[name] = value
    return Checkpoint(constants, saved.get("global_step"))


def load_model(path: str, config: str) -> Checkpoint:
    """Load as `load` does, and say so in the fork's words."""
    print(f"Loading model from {path}")
    checkpoint = load(path, config)
    if checkpoint.global_step is not None:
        print(f"Global Step: {checkpoint.global_step}")
    return checkpoint


def _read(path: str) -> dict[str, Any]:
    """Return what the checkpoint holds; the gigabytes of a real one are never read."""
    with open(path, "rb") as file:  # noqa: PTH123 - as the fork does: its error names this path
        head = file.read(32)
        if not head:
            raise EOFError(f"{path} is empty")
        if not head.startswith(b"{"):
            raise CheckpointError(
                f"{path} is not a checkpoint of tiny-diffusion (it begins with {head!r}). "
                "Checkpoints of Stable Diffusion need the fork itself."
            )
        saved: dict[str, Any] = json.loads(head + file.read())
    return saved
