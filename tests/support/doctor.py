"""A set-up in which all is right, for the doctor to look at."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sdrest.commands.doctor.command import checks
from sdrest.commands.doctor.engine_checks import MODULES
from sdrest.commands.doctor.findings import Result, results
from sdrest.settings import Settings
from tests.support.paths import DATA

SCRIPTS = ("scripts/txt2img.py", "scripts/img2img.py", "scripts/inpaint.py")


ANSWER = {
    "version": [3, 11, 9],
    "modules": dict.fromkeys(MODULES),
    "torch": "2.9.1",
    "cuda": True,
    "mps": False,
}


CHECKPOINTS = DATA / "checkpoints"


INPAINT_CONFIG = "models/ldm/inpainting_big/config.yaml"


@dataclass
class Place:
    """A set-up in which all is right, but for the scripts, which are not the published ones."""

    home: Path
    settings: Settings

    @property
    def fork(self) -> Path:
        return self.home / "fork"

    @property
    def python(self) -> Path:
        return self.fork / "venv/bin/python"

    @property
    def model(self) -> Path:
        return self.home / "t.ckpt"

    def answer(self, **changes: object) -> None:
        (self.python.parent / "answer").write_text(json.dumps({**ANSWER, **changes}))

    def use(self, **changes: object) -> None:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]  # by name

    def program(self, text: str) -> None:
        self.python.write_text(f"#!/bin/sh\n{text}\n")
        self.python.chmod(0o755)

    def found(self, *, probe_seconds: float = 60) -> list[Result]:
        return [
            result
            for check in checks(self.settings, probe_seconds=probe_seconds)
            for result in results(check)
        ]


NEEDS: list[list[Any]] = [
    [["model.diffusion_model.input_blocks.0.0.weight"], [2, 4, 3, 3]],
    [["model.diffusion_model.input_blocks.0.0.bias"], [2]],
]


TINY = {
    **{names[0]: tuple(shape) for names, shape in NEEDS},
    "first_stage_model.decoder.conv_in.weight": (2, 3),
}
"""The weights of a whole checkpoint for that network."""


def checkpoint(name: str) -> Callable[[Place], None]:
    """Put a checkpoint of torch's in place of the text-to-image model, whose network is known."""

    def put(place: Place) -> None:
        shutil.copy(CHECKPOINTS / f"{name}.ckpt", place.model)
        place.answer(**{"configs/stable-diffusion/v1-inference.yaml": {"needs": NEEDS}})

    return put
