"""A set-up in which all is right."""

import shutil
from pathlib import Path

import pytest

from sdrest.settings import Settings
from tests.support.doctor import INPAINT_CONFIG, SCRIPTS, Place


@pytest.fixture
def place(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    fork = tmp_path / "fork"
    for name in (*SCRIPTS, INPAINT_CONFIG, "venv/bin/python"):
        (fork / name).parent.mkdir(parents=True, exist_ok=True)
        (fork / name).write_text("something")
    for model in ("openai/clip-vit-large-patch14", "CompVis/stable-diffusion-safety-checker"):
        (fork / model).mkdir(parents=True)
        for name in (
            *("config.json", "vocab.json", "merges.txt"),
            *("preprocessor_config.json", "pytorch_model.bin"),
        ):
            (fork / model / name).write_text("{}")
    (tmp_path / "models").mkdir()
    for name in ("t.ckpt", "i.ckpt"):
        (tmp_path / name).write_bytes(b"\x80\x02weights")
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certificate / name, tmp_path / name)
    values = {
        "repository": str(fork),
        "text_to_image_model": str(tmp_path / "t.ckpt"),
        "inpaint_image_model": str(tmp_path / "i.ckpt"),
        "cert": str(tmp_path / "cert.pem"),
        "key": str(tmp_path / "key.pem"),
        "models": str(tmp_path / "models"),
        "output": str(tmp_path / "output"),
    }
    made = Place(tmp_path, Settings(**values, port=0, given=frozenset(values)))  # type: ignore[arg-type]  # texts
    made.program('cat "$(dirname "$0")/answer"')
    made.answer()
    return made
