"""What torch's native code keeps for the life of the process, whatever importlib drops."""

import os
import time
from pathlib import Path

_registered: set[str] = set()


def register(namespace: str) -> None:
    """Fail where `torch` is executed once more, after an import that was cut short."""
    if namespace in _registered:
        raise RuntimeError(
            "Only a single TORCH_LIBRARY can be used to register the namespace " + namespace
        )
    _registered.add(namespace)


def wait() -> None:
    """Stop amid the import of torch, where a test wants that: tell it, and go on when it says so.

    What comes then takes a while, as it does with the real one.
    """
    gate = os.environ.get("TORCHLIKE_GATE")
    if gate:
        Path(gate, "importing").write_text("here")
        Path(gate, "go").read_text()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
