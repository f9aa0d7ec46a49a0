"""Models are built without the random numbers that their checkpoints replace."""

import os
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sdrest.engine.runner import consumed, main, memory
from sdrest.engine.runner.consumed import Consumed
from tests.support.model_scripts import Scripts, forget

CHECKER = 3
"""How many numbers the fake safety checker draws."""
NOISE = 5


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    forget()
    yield Scripts(tmp_path)
    forget()


def drawn_in(scripts: Scripts, **options: Any) -> tuple[Any, int]:
    """Return what a script sees in a new process, and how many random numbers were drawn there."""
    seen = scripts.cold(**options)
    return seen, sum(sys.modules["torch"].draws) - CHECKER - NOISE


@pytest.mark.parametrize("inpaint", [False, True])
def test_a_known_model_is_built_without_random_numbers(scripts: Scripts, inpaint: bool) -> None:
    first, drawn = drawn_in(scripts, inpaint=inpaint, size=2000)
    assert drawn == 2000
    again, drawn = drawn_in(scripts, inpaint=inpaint, size=2000)
    assert drawn == 0
    assert again == first


def test_another_seed_and_a_warm_job_have_the_noise_of_an_ordinary_build(
    scripts: Scripts, caches: Path
) -> None:
    wanted = {}
    for seed in (1, 2):
        wanted[seed] = scripts.cold(seed=seed, size=2000)
        for file in caches.rglob("*.json"):
            file.unlink()
    scripts.cold(size=2000)
    forget()
    state = main.RunnerState(2)
    with state.watch_imports():
        assert [scripts.run(state, seed=seed, size=2000)[0] for seed in (1, 2, 1)] == [
            wanted[1],
            wanted[2],
            wanted[1],
        ]


@pytest.mark.parametrize("names", [(), ("drawn",), ("copied",)])
def test_what_a_checkpoint_lacks_has_its_initial_value(
    scripts: Scripts, names: tuple[str, ...]
) -> None:
    weights = {str(number): number for number in range(9)}
    lacking = scripts.checkpoint("lacking.ckpt", {**weights, **dict.fromkeys(names, 1)})
    whole = scripts.checkpoint("whole.ckpt", {**weights, "drawn": 1, "copied": 1})
    wanted = [scripts.cold(seed=s, has_buffers=True, ckpt=str(lacking)) for s in (1, 2)]
    assert drawn_in(scripts, has_buffers=True, ckpt=str(lacking))[1] == 10
    assert drawn_in(scripts, has_buffers=True, ckpt=str(whole))[1] == 10
    assert drawn_in(scripts, has_buffers=True, ckpt=str(whole))[1] == 0
    assert scripts.cold(has_buffers=True, ckpt=str(lacking)) == wanted[0]
    forget()
    state = main.RunnerState(2)
    with state.watch_imports():
        warm = [scripts.run(state, seed=s, has_buffers=True, ckpt=str(lacking))[0] for s in (1, 2)]
    assert warm == wanted


def test_a_model_that_draws_other_numbers_than_known_is_built_again(
    scripts: Scripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = scripts.cold()
    known = consumed.read

    def before_an_edit(model: str) -> Consumed | None:
        return Consumed("other calls", 8) if known(model) else None

    monkeypatch.setattr(consumed, "read", before_an_edit)
    assert drawn_in(scripts) == (wanted, 9)


def test_a_model_that_cannot_be_built_without_its_numbers(scripts: Scripts) -> None:
    wanted = scripts.cold(inverts=True)
    assert drawn_in(scripts, inverts=True) == (wanted, 9)


def test_only_a_zip_archive_that_the_script_names_is_mapped(scripts: Scripts) -> None:
    weights = {str(number): number for number in range(9)}
    plain, zipped = scripts.checkpoint("plain.ckpt", weights), scripts.folder / "zipped.ckpt"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(plain, "data.pkl")
    packed = scripts.folder / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(zipped, "last.ckpt")
    for path, mapped in ((plain, False), (zipped, True), (packed, False)):
        then = f"assert checkpoint.get('mmap', False) is {mapped}"
        assert scripts.cold(ckpt=str(path), then=then)["weights"] == [*range(9)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-9],
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"\xff",
        lambda content: content.replace(b'"numbers": 9', b'"numbers": 8'),
        lambda content: content.replace(b'"numbers": 9', b'"numbers": null'),
    ],
)
def test_a_damaged_file_is_replaced(scripts: Scripts, caches: Path, damage: Any) -> None:
    wanted = scripts.cold()
    files = {file: file.read_bytes() for file in caches.rglob("*.json")}
    for file, content in files.items():
        file.write_bytes(damage(content))
    assert drawn_in(scripts) == (wanted, 9)
    assert {file: file.read_bytes() for file in caches.rglob("*.json")} == files
    assert drawn_in(scripts) == (wanted, 0)


def test_without_a_folder_for_caches_models_are_built_as_ever(
    scripts: Scripts, caches: Path
) -> None:
    caches.write_text("not a folder")
    assert drawn_in(scripts) == drawn_in(scripts)


def test_files_are_those_of_one_model(caches: Path) -> None:
    consumed.write("one", Consumed("calls", 7))
    assert consumed.read("one") == Consumed("calls", 7)
    assert consumed.read("two") is None
    (file,) = caches.rglob("*.json")
    consumed.write("two", Consumed("calls", 8))
    (other,) = set(caches.rglob("*.json")) - {file}
    other.write_bytes(file.read_bytes())
    assert consumed.read("two") is None
    assert {path.suffix for path in file.parent.iterdir()} == {".json"}


def test_an_evicted_model_is_gone_before_the_next_one_is_built(scripts: Scripts) -> None:
    state = main.RunnerState(1)
    with state.watch_imports():
        for size in (3, 4, 3):
            assert scripts.run(state, size=size)[0]["weights"][:2] == [5, 6]
    assert sys.modules["torch"].Model.built == 3
    assert sys.modules["torch"].Model.most_alive == 1


def test_a_model_stays_when_the_links_of_its_job_are_gone(scripts: Scripts) -> None:
    """As inpaint.py, whose checkpoint has a fixed name in the folder of the job."""
    state = main.RunnerState(2)
    with state.watch_imports():
        for number in range(3):
            cwd = scripts.folder / str(number)
            cwd.mkdir()
            (cwd / "last.ckpt").symlink_to(scripts.folder / "one.ckpt")
            code, _, _ = scripts.runner_run(state, cwd=cwd, inpaint=True, ckpt="last.ckpt")
            (cwd / "last.ckpt").unlink()
            assert code == 0
            scripts.run(state, size=4)
    assert sys.modules["torch"].Model.built == 2


def test_copies_of_weights_that_a_script_leaves_are_freed(scripts: Scripts) -> None:
    state = main.RunnerState(1)
    with state.watch_imports():
        leave = (
            "import types; model.model_ema = types.SimpleNamespace(collected_params=[1])\n"
            "import builtins; builtins.kept_model = model"
        )
        scripts.run(state, then=leave)
        state.model_cache.end_job()
        kept = "assert model.model_ema.collected_params == []"
        assert scripts.run(state, then=kept)[1]["built"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="what other allocators keep is not known")
def test_freed_memory_is_returned() -> None:
    """Small blocks stay with the allocator until it is asked."""
    before = _resident()
    blocks = [random.randbytes(50_000) for _ in range(4000)]
    keep = blocks[::400]
    full = _resident()
    del blocks
    memory.release()
    assert len(keep) == 10
    assert _resident() - before < (full - before) / 2


def _resident() -> int:
    return int(psutil.Process(os.getpid()).memory_info().rss)
