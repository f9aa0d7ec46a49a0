"""Runs in the fork's Python; prints in JSON which weights networks need from their checkpoints.

Standard library, torch and the fork's own modules, Python 3.8 and later. argv: the path of
`sdrest/engine/runner/weights.py`, then configurations. The networks have shapes but no
numbers, so building them takes little memory and time.
"""

import contextlib
import functools
import importlib
import importlib.util
import json
import os
import sys
from typing import Any, Dict, Sequence  # noqa: UP035 (Python 3.8)

_LAYERS = ("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "GroupNorm", "LayerNorm")
_MORE_LAYERS = ("BatchNorm2d", "Embedding")


def without_numbers(torch: Any) -> None:
    """Build layers on torch's meta device, where tensors have only shapes."""
    for name in (*_LAYERS, *_MORE_LAYERS):
        layer = getattr(torch.nn, name)
        layer.__init__ = functools.partialmethod(layer.__init__, device="meta")


def network(config: str) -> Any:
    """Return the network of a configuration without the text encoder, which comes from the hub."""
    model = importlib.import_module("omegaconf").OmegaConf.load(config).model
    if model.params.cond_stage_config != "__is_first_stage__":
        model.params.cond_stage_config = "__is_unconditional__"
    return importlib.import_module("ldm.util").instantiate_from_config(model)


def needs(weights: Any, config: str) -> Dict[str, Any]:  # noqa: UP006 (Python 3.8)
    """Return names and shapes of the weights that a configuration needs, or what went wrong."""
    try:
        return {"needs": [list(need) for need in weights.needs(network(config))]}
    except Exception as error:  # noqa: BLE001 (any error is the answer)
        return {"error": f"{type(error).__name__}: {error}"}


def main(rules: str, configs: Sequence[str]) -> None:
    """Print the answer as the last line; other output goes to stderr."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    spec: Any = importlib.util.spec_from_file_location("sdrest_weights", rules)
    weights = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    with contextlib.redirect_stdout(sys.stderr):
        without_numbers(importlib.import_module("torch"))
        answers = {config: needs(weights, config) for config in configs}
    os.write(stdout, json.dumps(answers).encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
