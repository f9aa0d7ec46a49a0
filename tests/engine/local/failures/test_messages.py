"""What the message of a failed job says, where the machine or the repository is at fault."""

import shlex
import sys
from pathlib import Path

import pytest

from sdrest.engine.local.hub_models import SAFETY_CHECKER, TEXT_ENCODER
from sdrest.errors import Failure, FailureCode
from tests.fakes.running import failure, run_alone, task

pytestmark = pytest.mark.integration

SCRIPT = "import os, sys\nsys.path.insert(0, os.getcwd())\n"
"""The beginning of a script that imports from its checkout, as the fork's do."""


async def failed(tmp_path: Path, program: str, *, python: Path | None = None) -> Failure:
    """Return why a job of a repository fails whose txt2img.py is `program`."""
    root = tmp_path / "fork"
    (root / "scripts").mkdir(parents=True, exist_ok=True)
    (root / "scripts/txt2img.py").write_text(SCRIPT + program)
    changes = {"python": python} if python else {}
    return failure(await run_alone(task(tmp_path / "work"), root=root, **changes))


def limited_python(tmp_path: Path, limit: str) -> Path:
    """Return a Python whose resources ulimit restricts."""
    path = tmp_path / "limited-python"
    path.write_text(f'#!/bin/sh\nulimit {limit}\nexec {shlex.quote(sys.executable)} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
@pytest.mark.parametrize("kib", [6_000, 15_000, 30_000, 40_000, 60_000, 100_000])
async def test_a_memory_limit_is_neither_a_broken_python_nor_a_broken_package(
    tmp_path: Path, kib: int
) -> None:
    python = limited_python(tmp_path, f"-v {kib}")
    why = await failed(tmp_path, "import numpy\nx = bytearray(1 << 30)\n", python=python)
    assert why.code in {FailureCode.OUT_OF_MEMORY, FailureCode.OUT_OF_RESOURCES}
    assert "ulimit -v" in why.message
    assert "install" not in why.message.lower()
    assert "smaller picture" not in why.message


LOADING = """
from loading import from_pretrained
from_pretrained({model!r})
"""


@pytest.mark.parametrize(
    ("model", "title"), [(TEXT_ENCODER, "text encoder"), (SAFETY_CHECKER, "safety checker")]
)
async def test_a_model_of_the_hub_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, title: str
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    root = tmp_path / "fork"
    root.mkdir()
    # As transformers does it, in a file of the same name.
    (root / "loading.py").write_text("from modeling_utils import from_pretrained\n")
    (root / "modeling_utils.py").write_text(
        "def from_pretrained(model):\n    raise OSError(f\"Can't load weights for '{model}'.\")\n"
    )
    why = await failed(tmp_path, LOADING.format(model=model))
    assert why.code is FailureCode.MODEL_MISSING
    assert why.message == (
        f"The {title} ({model}) is missing, and the script cannot fetch it from the network. "
        "Run `sdrest setup` on the server's machine."
    )
    folder = root / model
    folder.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt", "preprocessor_config.json", "pytorch_model.bin"):
        (folder / name).write_text("{}")
    why = await failed(tmp_path, LOADING.format(model=model))
    assert why.code is FailureCode.MODEL_MISSING
    assert f"REPOSITORY/{model} has no config.json" in why.message
    (folder / "config.json").write_text('{"a": ')
    why = await failed(tmp_path, LOADING.format(model=model))
    assert why.code is FailureCode.MODEL_INVALID
    assert "config.json is not valid JSON" in why.message
    (folder / "config.json").write_text("{}")
    why = await failed(tmp_path, LOADING.format(model=model))
    assert why.code is FailureCode.MODEL_INVALID
    assert f"Delete REPOSITORY/{model}, then run `sdrest setup`" in why.message
    assert "Can't load weights" in why.message


async def test_a_damaged_model_in_the_cache_is_named_by_what_to_delete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    name = "models--openai--clip-vit-large-patch14"
    folder = tmp_path / "hub/hub" / name / "snapshots/1"
    folder.mkdir(parents=True)
    for file in ("config.json", "vocab.json", "merges.txt", "pytorch_model.bin"):
        (folder / file).write_text("{}")
    root = tmp_path / "fork"
    root.mkdir()
    (root / "modules.py").write_text("import tokenization_clip\n")
    (root / "tokenization_clip.py").write_text("raise TypeError('not NoneType')\n")
    why = await failed(tmp_path, "import modules\n")
    assert why.code is FailureCode.MODEL_INVALID
    assert f"Delete HUB_CACHE/{name}, then run `sdrest setup`" in why.message


MISMATCH = """
raise RuntimeError(
    "Error(s) in loading state_dict for LatentDiffusion:\\n\\tsize mismatch for model.x: copying a "
    "param with shape torch.Size([32, 7]) from checkpoint, the shape in current model is "
    "torch.Size([32, 4])."
)
"""
CONFIG = "configs/stable-diffusion/v1-inference.yaml"


@pytest.mark.parametrize(
    ("program", "code", "parts"),
    [
        (
            f"open(os.path.abspath('{CONFIG}'))",
            "script_missing",
            [f"The repository has no {CONFIG}.", f"Restore it there: git checkout -- {CONFIG}"],
        ),
        (
            MISMATCH,
            "model_invalid",
            [
                "The model checkpoint (--text-to-image-model) does not fit this script: size",
                "model.x: the checkpoint has shape [32, 7], the model wants [32, 4].",
                "Start the server with --text-to-image-model followed by a model for it.",
            ],
        ),
        (
            "import errno\nraise OSError(errno.EFBIG, 'File too large', 'x.png')",
            "storage_failed",
            ["The script could not write a file while it loaded (File too large). Raise the limit"],
        ),
        (
            "import ldm.models.diffusion",
            "import_failed",
            ["The repository lacks its own module ldm. Check it out again"],
        ),
    ],
)
async def test_messages_name_the_cause_and_the_remedy(
    tmp_path: Path, program: str, code: str, parts: list[str]
) -> None:
    why = await failed(tmp_path, program)
    assert why.code == code
    assert [part for part in parts if part not in why.message] == []
