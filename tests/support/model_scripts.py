"""Runs a script that loads a model of the fake torch, as a runner does."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

from sdrest.engine.runner import main
from tests.support.paths import FAKES

REPOSITORY = FAKES / "torchlike"
FAKE_MODULES = ("torch", "torch_native", "ldm", "omegaconf", "transformers")


class Scripts:
    """Runs of the fake script in this process, on one stage or each on its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint("one.ckpt", {str(number): number + 5 for number in range(2000)})

    def checkpoint(self, name: str, weights: dict[str, int]) -> Path:
        """Write a checkpoint, as a new file."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        (self.folder / f"{name}.new").write_bytes(
            pickle.dumps({"state_dict": weights, "global_step": 7, "optimizer": object()})
        )
        return (self.folder / f"{name}.new").rename(path)

    def run(
        self, state: main.RunnerState, *, preload: bool = False, **options: Any
    ) -> tuple[Any, Any]:
        """Return what a script saw, and how often it built, read and made something so far."""
        out = self.folder / "out.json"
        out.unlink(missing_ok=True)
        assert self.runner_run(state, preload=preload, **options) == (0, None, True)
        if preload:
            assert not out.exists()
            return None, None
        seen, counts = json.loads(out.read_text())
        return seen, counts

    def runner_run(
        self,
        state: main.RunnerState,
        *,
        preload: bool = False,
        cwd: Path | None = None,
        named: bool = False,
        **options: Any,
    ) -> tuple[int, Any, bool]:
        """Return the exit code of a script, what it raised, and whether the runner is clean."""
        out = self.folder / "out.json"
        options = {"seed": 1, "size": 9, "ckpt": str(self.folder / "one.ckpt"), **options}
        job: dict[str, object] = {
            "id": "1",
            "script": str(REPOSITORY / "scripts" / "txt2img.py"),
            "arguments": [json.dumps({**options, "out": str(out)})],
            "path": [str(REPOSITORY / "scripts"), str(REPOSITORY)],
            "cwd": str(cwd or self.folder),
            "seed": None,
            "takes_precision": False,
            "preload": preload,
            "sampling": {},
            "checkpoint": options["ckpt"] if named else None,
        }
        return main.run(job, state)

    def cold(self, **options: Any) -> Any:
        """Return what a script sees in a process of its own, so to speak."""
        forget()
        state = main.RunnerState(2)
        with state.watch_imports():
            return self.run(state, **options)[0]


def forget() -> None:
    """Forget the fake modules, as a new process does."""
    for name in [name for name in sys.modules if name.partition(".")[0] in FAKE_MODULES]:
        del sys.modules[name]
