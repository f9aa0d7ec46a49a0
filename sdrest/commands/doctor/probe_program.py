"""Runs in the fork's Python; prints in JSON which modules import and which devices torch has.

Standard library only, Python 3.8 and later. argv: names of modules.
"""

import contextlib
import importlib
import json
import os
import sys
from typing import Any, Dict, Optional, Sequence  # noqa: UP035 (Python 3.8)


def problem(module: str) -> Optional[str]:  # noqa: UP045 (Python 3.8)
    """Return why a module does not import, None if it does."""
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 (any error is the answer)
        return f"{type(error).__name__}: {error}"
    return None


def devices() -> Dict[str, Any]:  # noqa: UP006 (Python 3.8)
    """Return torch's version and devices; empty if torch does not import."""
    try:
        torch = importlib.import_module("torch")
    except Exception:  # noqa: BLE001 (`problem` reports it)
        return {}
    mps = getattr(torch.backends, "mps", None)
    return {
        "torch": torch.__version__,
        "cuda": bool(torch.cuda.is_available()),
        "mps": bool(mps and mps.is_available()),
    }


def main(modules: Sequence[str]) -> None:
    """Print the answer as the last line; other output goes to stderr."""
    stdout = os.dup(1)
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        found = {module: problem(module) for module in modules}
        about = devices() if "torch" in modules else {}
    answer = {"version": list(sys.version_info[:3]), "modules": found, **about}
    os.write(stdout, json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
