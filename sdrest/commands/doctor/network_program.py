"""Runs in the fork's Python: tells in JSON which weights networks need from their checkpoints.

Standard library, torch and the fork's own modules, Python 3.8 and later. argv: the path of
`sdrest/engine/runner/weights.py`, then configurations. The networks have no numbers: building them
takes neither memory nor time.
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
    """Let layers be built on torch's meta device, where tensors have shapes alone."""
    for name in (*_LAYERS, *_MORE_LAYERS):
        layer = getattr(torch.nn, name)
        layer.__init__ = functools.partialmethod(layer.__init__, device="meta")


def network(config: str) -> Any:
    """Return the network of a configuration, without the text encoder: that comes from the hub."""
    model = importlib.import_module("omegaconf").OmegaConf.load(config).model
    if model.params.cond_stage_config != "__is_first_stage__":
        model.params.cond_stage_config = "__is_unconditional__"
    return importlib.import_module("ldm.util").instantiate_from_config(model)


def needs(weights: Any, config: str) -> Dict[str, Any]:  # noqa: UP006 (Python 3.8)
    """Return names and shapes of the weights that a configuration needs, or what went wrong."""
    try:
        return {"needs": [list(need) for need in weights.needs(network(config))]}
    except Exception as error:  # noqa: BLE001 (whatever it raises is the answer)
        return {"error": f"{type(error).__name__}: {error}"}


def main(rules: str, configs: Sequence[str]) -> None:
    """Print the answer as the last line, away from what modules print while they load."""
    answer = os.dup(1)
    os.dup2(2, 1)
    spec: Any = importlib.util.spec_from_file_location("sdrest_weights", rules)
    weights = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    with contextlib.redirect_stdout(sys.stderr):
        without_numbers(importlib.import_module("torch"))
        told = {config: needs(weights, config) for config in configs}
    os.write(answer, json.dumps(told).encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
