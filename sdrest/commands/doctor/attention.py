"""Say which attention the scripts would use."""

import re
from collections.abc import Mapping
from typing import Any

from sdrest.commands.doctor.findings import Finding, ok, warning
from sdrest.engine.runner.attention import FAST, chosen
from sdrest.settings import AUTO

_PLACES = {"cuda": "on CUDA", "mps": "on MPS", "cpu": "on a CPU"}
_FIRST_FAST = 2
"""The first major version of PyTorch that has `scaled_dot_product_attention`."""


def attention_finding(wanted: str, probe: Mapping[str, Any]) -> Finding:
    """Return a finding about `--attention`; `probe` has torch's version and devices."""
    device = next((name for name in ("cuda", "mps") if probe[name]), "cpu")
    found = chosen(wanted, device)
    major = re.match(r"\d+", probe["torch"])
    if found == FAST and major and int(major[0]) < _FIRST_FAST:
        text = f"exact (torch {probe['torch']} has no fast one)"
        remedy = "For the fast one, install PyTorch 2.0 or later in the repository's Python."
        return warning(text, remedy) if wanted == FAST else ok(text)
    reason = f"auto, {_PLACES[device]}" if wanted == AUTO else f"--attention {wanted}"
    return ok(f"{found} ({reason})")
