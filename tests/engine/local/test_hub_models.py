"""What is wrong with the models that the fork loads by name, as their files show it."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sdrest.engine.local import hub_models
from sdrest.errors import FailureCode

NAMES = ("config.json", "vocab.json", "merges.txt", "pytorch_model.bin")
Damage = Callable[[Path], object]


def fill(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text("{}")
    return folder


def put(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data)


def cut_zip(folder: Path) -> None:
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights" * 100)
    path.write_bytes(path.read_bytes()[:300])


def safetensors(*, rest: int) -> bytes:
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "x": tensor}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(rest)


@pytest.mark.parametrize(
    ("damage", "code", "text"),
    [
        (lambda folder: (folder / "config.json").unlink(), "model_missing", "no config.json"),
        (lambda folder: (folder / "vocab.json").unlink(), "model_missing", "no vocab.json"),
        (lambda folder: (folder / "merges.txt").unlink(), "model_missing", "no merges.txt"),
        (lambda folder: (folder / NAMES[3]).unlink(), "model_missing", "no pytorch_model.bin"),
        (put("config.json", b'{"a": '), "model_invalid", "config.json is not valid JSON"),
        (put("config.json", b"<html>"), "model_invalid", "config.json is not valid JSON"),
        (put("vocab.json", b""), "model_invalid", "vocab.json is empty"),
        (put("merges.txt", b""), "model_invalid", "merges.txt is empty"),
        (put("tokenizer_config.json", b"{"), "model_invalid", "tokenizer_config.json is not valid"),
        (put(NAMES[3], b""), "model_invalid", "pytorch_model.bin is empty"),
        (put(NAMES[3], b"<!doctype html>"), "model_invalid", "is a web page, not the model."),
        (put(NAMES[3], b"version https://git-lfs"), "model_invalid", "is a Git LFS pointer"),
        (cut_zip, "model_invalid", "pytorch_model.bin is incomplete: its end is missing"),
        (put("model.safetensors", safetensors(rest=15)), "model_invalid", "its end is missing"),
    ],
)
def test_a_damaged_folder_of_the_checkout(
    tmp_path: Path, damage: Damage, code: str, text: str
) -> None:
    folder = fill(tmp_path / "fork" / hub_models.TEXT_ENCODER)
    cached = fill(tmp_path / "models--openai--clip-vit-large-patch14/snapshots/1")
    cache = {"HF_HUB_CACHE": str(tmp_path)}
    assert hub_models.found(hub_models.TEXT_ENCODER, tmp_path / "fork", cache) == folder
    damage(folder)
    failure = hub_models.problem(hub_models.TEXT_ENCODER, tmp_path / "fork", cache)
    assert failure
    assert failure.code == code
    assert failure.message.startswith("The text encoder (openai/clip-vit-large-patch14) ")
    assert text in failure.message
    assert "`sdrest setup`" in failure.message
    hidden = hub_models.found(hub_models.TEXT_ENCODER, tmp_path / "fork", cache)
    assert hidden is None  # the folder hides the cache
    assert hub_models.found(hub_models.TEXT_ENCODER, tmp_path / "elsewhere", cache) == cached


def test_weights_that_are_whole(tmp_path: Path) -> None:
    folder = fill(tmp_path / hub_models.TEXT_ENCODER)
    for data in (safetensors(rest=16), b"weights", b"12345678no json"):
        (folder / "model.safetensors").write_bytes(data)
        assert hub_models.problem(hub_models.TEXT_ENCODER, tmp_path) is None


def test_a_model_that_is_nowhere(tmp_path: Path) -> None:
    failure = hub_models.problem(hub_models.SAFETY_CHECKER, tmp_path, {"HF_HOME": str(tmp_path)})
    assert failure
    assert failure.code is FailureCode.MODEL_MISSING
    assert "is missing" in failure.message


def test_a_cache_that_is_incomplete(tmp_path: Path) -> None:
    snapshot = fill(tmp_path / "models--openai--clip-vit-large-patch14/snapshots/1")
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to("nowhere")
    failure = hub_models.problem(hub_models.TEXT_ENCODER, tmp_path, {"HF_HUB_CACHE": str(tmp_path)})
    assert failure
    assert "has no config.json" in failure.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be a user without a home")
def test_a_user_without_a_home_has_no_cache() -> None:
    program = (
        "import os; from pathlib import Path; from sdrest.engine.local import hub_models; "
        "os.setuid(54321); "
        "print(hub_models.problem(hub_models.TEXT_ENCODER, Path('/nowhere')).code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "model_missing\n"
