"""The checkpoints of this machine and of workers under one list of names."""

from pathlib import Path

import pytest

from sdrest.checkpoints.catalog import Catalog, Checkpoint
from sdrest.checkpoints.shared import NOWHERE, SharedCatalog
from sdrest.errors import InvalidRequestError
from sdrest.job_types import JobType
from tests.support.checkpoints import model, safetensors_file

TEXT = JobType.TEXT_TO_IMAGE


def offered(*files: str, **more: object) -> dict[str, Checkpoint]:
    return {
        file: Checkpoint(
            file.removesuffix(".safetensors"),
            file,
            NOWHERE / file,
            9,
            "text-to-image",
            workers=("attic",),
            **more,  # type: ignore[arg-type]  # fields of a checkpoint
        )
        for file in files
    }


@pytest.fixture
def own(tmp_path: Path) -> Catalog:
    safetensors_file(tmp_path / "a.safetensors", model())
    (tmp_path / "broken.safetensors").write_text("<html>")
    return Catalog(tmp_path, {})


def test_a_model_may_be_here_or_on_workers_or_both(own: Catalog) -> None:
    elsewhere = offered("a.safetensors", "b.safetensors", "broken.safetensors", digest="12")
    shared = SharedCatalog(own, lambda: elsewhere)
    found = {one.name: one for one in shared.entries()}
    assert list(found) == ["a", "b", "broken"]
    assert all(one.usable and one.workers == ("attic",) for one in found.values())
    assert found["a"].path.is_file()
    assert shared.choose("B", TEXT).file == "b.safetensors"
    elsewhere.clear()
    assert [one.name for one in shared.entries() if one.usable] == ["a"]
    with pytest.raises(InvalidRequestError, match="no model 'b'"):
        shared.choose("b", TEXT)


def test_a_server_that_runs_no_jobs_has_the_models_of_its_workers_alone() -> None:
    shared = SharedCatalog(None, lambda: offered("b.safetensors", "b.ckpt", defaults=(TEXT,)))
    assert [one.name for one in shared.entries()] == ["b.ckpt", "b.safetensors"]
    assert shared.find("b") is None
    assert "ambiguous" in shared.ambiguity("b")
    assert shared.choose("b.ckpt", TEXT).defaults == (TEXT,)
