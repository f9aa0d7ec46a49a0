import os
import sys
import zipfile
from pathlib import Path

import pytest

from sdrest.checkpoints import problems as checkpoints
from sdrest.engine.local.repository import Repository, bundled_root, locate, problem, problems
from sdrest.errors import FailureCode
from sdrest.job_types import JobType
from sdrest.settings import Settings

INPAINTING = "models/ldm/inpainting_big"
FILES = (
    *("scripts/txt2img.py", "scripts/img2img.py", "scripts/inpaint.py", "venv/bin/python"),
    *(f"{INPAINTING}/config.yaml", "t.ckpt", "i.ckpt"),
)


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    root = tmp_path / "fork"
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something")
    (root / "venv/bin/python").chmod(0o755)
    return root


def settings(fork: Path, **values: str) -> Settings:
    given = {
        "repository": str(fork),
        "text_to_image_model": str(fork / "t.ckpt"),
        "inpaint_image_model": str(fork / "i.ckpt"),
        **values,
    }
    return Settings(**given, given=frozenset(given))  # type: ignore[arg-type]  # all are texts


def test_a_whole_fork(fork: Path) -> None:
    repository = locate(settings(fork))
    assert repository == Repository(
        root=fork,
        python=fork / "venv/bin/python",
        text_to_image_model=fork / "t.ckpt",
        inpaint_image_model=fork / "i.ckpt",
    )
    assert problems(repository) == []


def test_the_python_may_lie_in_a_hidden_environment(fork: Path) -> None:
    (fork / "venv").rename(fork / ".venv")
    assert locate(settings(fork)).python == fork / ".venv/bin/python"


def test_the_python_is_not_resolved(fork: Path) -> None:
    (fork / "venv/bin/python").unlink()
    (fork / "venv/bin/python").symlink_to(sys.executable)
    assert locate(settings(fork)).python == fork / "venv/bin/python"


def test_the_python_of_the_flag(fork: Path) -> None:
    assert locate(settings(fork, python=sys.executable)).python == Path(sys.executable)
    assert locate(settings(fork, python="/nowhere/python")).python == Path("/nowhere/python")
    found = locate(settings(fork, python="sh")).python
    assert found is not None
    assert found.is_absolute()
    assert found.name == "sh"


def test_a_folder_that_was_given_is_not_replaced_by_the_bundled_engine(tmp_path: Path) -> None:
    repository = locate(settings(tmp_path / "nowhere"))
    assert not repository.bundled
    assert repository.python is None
    codes = {failure.code for failure in problems(repository)}
    assert codes == {FailureCode.REPOSITORY_MISSING}


def test_without_a_repository_the_bundled_engine_is_used(tmp_path: Path) -> None:
    repository = locate(Settings(repository=str(tmp_path / "nowhere")))
    assert repository.bundled
    assert repository.root == bundled_root()
    assert repository.root.is_dir()
    assert repository.python == Path(sys.executable)


def test_the_repositorys_own_checkpoints(fork: Path) -> None:
    own = fork / "models/ldm/stable-diffusion-v1/model.ckpt"
    own.parent.mkdir(parents=True)
    own.write_text("own")
    given = frozenset({"repository"})
    missing = str(fork / "missing.ckpt")
    flags = Settings(
        repository=str(fork),
        text_to_image_model=missing,
        inpaint_image_model=missing,
        given=given,
    )
    repository = locate(flags)
    assert repository.text_to_image_model == own
    assert repository.inpaint_image_model == Path(missing)
    chosen = Settings(
        repository=str(fork), text_to_image_model=missing, given=given | {"text_to_image_model"}
    )
    assert locate(chosen).text_to_image_model == Path(missing)


@pytest.mark.parametrize(
    ("missing", "job_type", "code", "text"),
    [
        ("scripts/txt2img.py", "text-to-image", "script_missing", "scripts/txt2img.py"),
        ("scripts/img2img.py", "image-to-image", "script_missing", "scripts/img2img.py"),
        (f"{INPAINTING}/config.yaml", "inpaint-image", "script_missing", "config.yaml"),
        ("venv/bin/python", "text-to-image", "python_missing", "python3 -m venv venv"),
        ("t.ckpt", "text-to-image", "model_missing", "--text-to-image-model"),
        ("t.ckpt", "image-to-image", "model_missing", "--text-to-image-model"),
        ("i.ckpt", "inpaint-image", "model_missing", "--inpaint-image-model"),
    ],
)
def test_what_is_missing(fork: Path, missing: str, job_type: str, code: str, text: str) -> None:
    (fork / missing).unlink()
    failure = problem(locate(settings(fork)), JobType(job_type))
    assert failure is not None
    assert failure.code == code
    assert text in failure.message
    assert str(fork) not in failure.message
    assert failure in problems(locate(settings(fork)))


def test_a_python_that_cannot_be_executed(fork: Path) -> None:
    (fork / "venv/bin/python").chmod(0o644)
    failure = problem(locate(settings(fork)), JobType.TEXT_TO_IMAGE)
    assert failure is not None
    assert failure.code is FailureCode.PYTHON_MISSING


def archive(path: Path, *names: str) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, "content" * 100)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"<!doctype html>", "web page"),
        (b"\n<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
    ],
)
def test_files_that_are_no_checkpoint(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    failure = checkpoints.problem(path, flag="--model")
    assert failure is not None
    assert failure.code is FailureCode.MODEL_INVALID
    assert text in failure.message
    assert "--model" in failure.message


def test_zips(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    whole = archive(path, "archive/data.pkl", "archive/data/0")  # torch's own format
    assert checkpoints.problem(path, flag="--model") is None
    path.write_bytes(whole[:-30])
    cut = checkpoints.problem(path, flag="--model")
    assert cut is not None
    assert "its end is missing" in cut.message
    archive(path, "inpainting_big/last.ckpt", "inpainting_big/config.yaml")
    wrapped = checkpoints.problem(path, flag="--model")
    assert wrapped is not None
    assert "zip archive around last.ckpt" in wrapped.message
    archive(path, "readme.txt")
    assert checkpoints.problem(path, flag="--model") is None  # the script will tell


def test_what_may_be_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    for content in (b"\x80\x02}q\x00.", b'{"state_dict": {}}'):
        path.write_bytes(content)
        assert checkpoints.problem(path, flag="--model") is None


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    failure = checkpoints.problem(tmp_path, flag="--model")
    assert failure is not None
    assert "is not a file" in failure.message


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_text("secret")
    path.chmod(0)
    failure = checkpoints.problem(path, flag="--model")
    if os.access(path, os.R_OK):  # root may
        assert failure is None
    else:
        assert failure is not None
        assert "cannot be read (Permission denied)" in failure.message


def test_names_that_are_no_paths_are_missing() -> None:
    long = "x" * 1000
    repository = locate(settings(Path(long), python=long, text_to_image_model=long))
    codes = {failure.code for failure in problems(repository)}
    assert codes == {FailureCode.REPOSITORY_MISSING}
    failure = checkpoints.problem(Path(long), flag="--model")
    assert failure is not None
    assert failure.code is FailureCode.MODEL_MISSING
