import io
import json
import zipfile
from pathlib import Path

import pytest
from tiny_diffusion import checkpoint
from tiny_diffusion.checkpoint import CheckpointError, load

from tests.support.tiny import ENGINE

CONFIG = str(ENGINE / "configs/stable-diffusion/v1-inference.yaml")
CKPT = ENGINE / "models/ldm/stable-diffusion-v1/model.ckpt"


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", EOFError, "is empty"),
        (b"\x8d\x01\x02garbage", CheckpointError, r"begins with b'\\x8d\\x01"),
        (_zip(), CheckpointError, r"begins with b'PK"),
        (b"<!DOCTYPE html><html>", CheckpointError, "<!DOCTYPE html>"),
        (b"version https://git-lfs.github.com/spec/v1\n", CheckpointError, "git-lfs"),
        (CKPT.read_bytes()[:-9], json.JSONDecodeError, "line"),
        (b'{"global_step": 1}', KeyError, "state_dict"),
        (b'{"state_dict": {"channels": 3}}', RuntimeError, "size mismatch for channels"),
    ],
    ids=["empty", "garbage", "zip", "html", "lfs pointer", "cut off", "no state", "other model"],
)
def test_each_bad_file_has_an_error_of_its_own(
    content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(error, match=message):
        load(str(path), CONFIG)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt"):
        load(str(tmp_path / "none.ckpt"), CONFIG)
    with pytest.raises(IsADirectoryError):
        load(str(tmp_path), CONFIG)


def test_constants_that_the_checkpoint_lacks_keep_the_configs_value(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_text('{"state_dict": {"linear_end": 0.5}}')
    model = load(str(path), CONFIG)
    assert model.global_step is None
    assert model.constants["linear_end"] == 0.5
    assert model.constants["linear_start"] == 0.00085


def test_loading_says_what_it_loads(capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint.load_model(str(CKPT), CONFIG)
    assert capsys.readouterr().out == f"Loading model from {CKPT}\nGlobal Step: 1\n"
