"""Scripts run by a runner inside this process."""

from pathlib import Path
from typing import Any

from sdrest.engine.runner import main


def run(state: main.RunnerState, folder: Path, text: str, **changes: Any) -> tuple[int, Any, bool]:
    """Return the exit code of a script, what it raised, and whether the runner is clean."""
    script = folder / "scripts" / "script.py"
    script.write_text(text)
    job: dict[str, object] = {
        "id": "1",
        "script": str(script),
        "arguments": [],
        "path": [str(script.parent), str(folder)],
        "cwd": str(folder),
        "seed": None,
        "takes_precision": False,
        "preload": False,
        "sampling": {},
    }
    return main.run({**job, **changes}, state)
