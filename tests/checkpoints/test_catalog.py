"""The names of checkpoints, and what is said of those that mean none or more than one."""

from pathlib import Path

import pytest

from sdrest.checkpoints.catalog import Catalog
from sdrest.errors import InvalidRequestError
from sdrest.job_types import JobType
from tests.support.checkpoints import model, safetensors_file


def files(folder: Path, *names: str) -> Catalog:
    for name in names:
        safetensors_file(folder / name, model())
    return Catalog(folder, {})


def refusal(catalog: Catalog, name: str) -> str:
    with pytest.raises(InvalidRequestError) as raised:
        catalog.choose(name, JobType.TEXT_TO_IMAGE)
    return raised.value.message


def test_a_name_of_two_files_is_ambiguous(tmp_path: Path) -> None:
    catalog = files(tmp_path, "both.ckpt", "both.safetensors")
    for name in ("both", "BOTH"):
        said = f"'{name}' is ambiguous: both.ckpt or both.safetensors. Write the whole name."
        assert refusal(catalog, name).endswith(said)
        assert catalog.find(name) is None
    for file in ("both.ckpt", "both.safetensors"):
        assert catalog.choose(file, JobType.TEXT_TO_IMAGE).file == file


def test_a_name_in_the_case_of_no_file_is_ambiguous_where_two_differ_in_case(
    tmp_path: Path,
) -> None:
    catalog = files(tmp_path, "CASE.ckpt", "case.ckpt")
    if len(catalog.entries()) == 1:
        pytest.skip("This file system does not tell names apart by their case.")
    for name in ("Case", "Case.ckpt"):
        assert f"'{name}' is ambiguous: " in refusal(catalog, name)
    for name in ("case", "CASE"):
        assert catalog.choose(name, JobType.TEXT_TO_IMAGE).file == f"{name}.ckpt"


def test_an_error_shows_ten_names(tmp_path: Path) -> None:
    names = [f"model {number:02}" for number in range(13)]
    catalog = files(tmp_path, *(f"{name}.safetensors" for name in names))
    shown = ", ".join(f"'{name}'" for name in names[:10])
    said = refusal(catalog, "none")
    assert said.endswith(f"Models for text-to-image: {shown} and 3 more; see GET /models.")
