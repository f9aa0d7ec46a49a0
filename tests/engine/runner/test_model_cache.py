import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdrest.engine.runner import main
from tests.support.model_scripts import REPOSITORY, Scripts, forget


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    forget()
    yield Scripts(tmp_path)
    forget()


@pytest.fixture
def state(scripts: Scripts) -> Iterator[main.RunnerState]:
    state = main.RunnerState(2)
    with state.watch_imports():
        yield state


@pytest.mark.parametrize("inpaint", [False, True])
def test_a_model_is_built_once_and_the_noise_stays_the_same(
    scripts: Scripts, inpaint: bool
) -> None:
    wanted = [scripts.cold(seed=seed, inpaint=inpaint) for seed in (1, 2, 3)]
    forget()
    state = main.RunnerState(2)
    with state.watch_imports():
        warm = [scripts.run(state, seed=seed, inpaint=inpaint) for seed in (1, 2, 3)]
    assert [seen for seen, _ in warm] == wanted
    assert [counts for _, counts in warm] == [{"built": 1, "read": 1, "made": 1}] * 3
    assert len({str(seen["noise"]) for seen in wanted}) == 3


def test_a_large_model_crosses_blocks_of_the_generator(
    scripts: Scripts, state: main.RunnerState
) -> None:
    warm = [scripts.run(state, seed=seed, size=2000)[0] for seed in (4, 5)]
    assert warm == [scripts.cold(seed=seed, size=2000) for seed in (4, 5)]


def test_a_replaced_checkpoint_is_read_again(scripts: Scripts, state: main.RunnerState) -> None:
    scripts.run(state)
    scripts.checkpoint("one.ckpt", {str(number): number + 77 for number in range(9)})
    seen, counts = scripts.run(state)
    assert seen["weights"] == [*range(77, 86)]
    assert counts == {"built": 2, "read": 2, "made": 1}


@pytest.mark.parametrize("inpaint", [False, True])
def test_a_checkpoint_that_lacks_weights_is_refused(
    scripts: Scripts, state: main.RunnerState, inpaint: bool
) -> None:
    whole = scripts.folder / "one.ckpt"
    lacking = scripts.checkpoint("lacking.ckpt", {"0": 77, "more": 1})
    for _ in range(2):
        assert scripts.run(state, inpaint=inpaint)[0]["weights"] == [*range(5, 14)]
        code, exception, clean = scripts.runner_run(state, ckpt=str(lacking), inpaint=inpaint)
        assert (code, exception["types"][0], clean) == (1, "UnusableCheckpointError", True)
        assert exception["text"].startswith("lacks 8 of 9 weights that the script needs, for exam")
    assert scripts.run(state, ckpt=str(whole), inpaint=inpaint)[1]["built"] == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"lora_unet_x": 1}, "is a LoRA, an addition to a model: it has no entry state_dict."),
        ({"decoder.conv_in.weight": 1}, "is a VAE, which turns latents into pictures: it has no e"),
        ({}, "holds no weights: it has no entry state_dict."),
        ({"state_dict": {}}, "holds no weights: it lacks 9 of 9 weights"),
    ],
)
def test_what_is_not_a_model_is_named(
    scripts: Scripts, state: main.RunnerState, content: Any, text: str
) -> None:
    path = scripts.folder / "other.ckpt"
    path.write_bytes(pickle.dumps({**content, "global_step": 7} if content else content))
    for _ in range(2):
        code, exception, _ = scripts.runner_run(state, ckpt=str(path), inpaint=True)
        assert code == 1
        assert exception["text"].startswith(text)


@pytest.mark.parametrize("inpaint", [False, True])
def test_two_checkpoints_of_one_network_stay(
    scripts: Scripts, state: main.RunnerState, inpaint: bool
) -> None:
    paths = [
        scripts.checkpoint(f"{name}.ckpt", {str(number): number + name for number in range(9)})
        for name in (100, 200)
    ]
    counts, noises = [], set()
    for index in (0, 1, 0, 1):
        path = str(paths[index])
        seen, count = scripts.run(state, ckpt=path, inpaint=inpaint, named=True)
        assert seen["weights"] == [number + (index + 1) * 100 for number in range(9)]
        noises.add(str(seen["noise"]))
        counts.append(count["read"])
    assert counts == [1, 2, 2, 2]
    assert len(noises) == 1


def test_one_checkpoint_in_two_models(scripts: Scripts, state: main.RunnerState) -> None:
    scripts.run(state)
    seen, counts = scripts.run(state, size=4)
    assert (len(seen["weights"]), seen["step"], counts["built"]) == (4, 7, 2)
    assert seen["weights"][:2] == [5, 6]
    assert scripts.run(state)[1]["built"] == 2


def test_only_so_many_models_stay(scripts: Scripts, state: main.RunnerState) -> None:
    built = []
    for size in (3, 4, 5, 4, 3):
        seen, counts = scripts.run(state, size=size)
        assert seen["weights"][:2] == [5, 6]
        built.append(counts["built"])
    assert built == [1, 2, 3, 3, 4]


def test_what_a_script_does_to_a_model_is_not_kept(
    scripts: Scripts, state: main.RunnerState
) -> None:
    first = scripts.run(state, then="model.weights[0].change(1000)")[0]
    seen, counts = scripts.run(state)
    assert seen == first
    assert counts["built"] == 2


@pytest.mark.parametrize(
    "then", ["checkpoint['optimizer']", "dict(checkpoint)", "len(state), list(state)"]
)
def test_other_parts_of_a_checkpoint_are_there(
    scripts: Scripts, state: main.RunnerState, then: str
) -> None:
    scripts.run(state)
    scripts.run(state, then=then)
    assert scripts.run(state, then="assert 'nothing' not in checkpoint")[1]["built"] == 1


def test_a_model_that_uses_other_generators_is_built_again(
    scripts: Scripts, state: main.RunnerState
) -> None:
    made = [scripts.run(state, checker="draws from random")[1]["made"] for _ in range(2)]
    assert made == [1, 2]


def test_few_pretrained_models_stay(scripts: Scripts, state: main.RunnerState) -> None:
    names = [*map(str, range(9)), "0", "8"]
    made = [scripts.run(state, checker=name)[1]["made"] for name in names]
    assert made[-2:] == [10, 10]


def test_a_pretrained_folder_that_changes(scripts: Scripts, state: main.RunnerState) -> None:
    folder = scripts.folder / "checker"
    folder.mkdir()
    weights = folder / "model.bin"
    weights.write_text("old")
    counts = [scripts.run(state)[1]["made"] for _ in range(2)]
    weights.write_text("newer")
    assert [*counts, scripts.run(state)[1]["made"]] == [1, 1, 2]


def test_a_checkpoint_without_weights_and_other_things_are_left_alone(
    scripts: Scripts, state: main.RunnerState
) -> None:
    path = scripts.folder / "plain.ckpt"
    path.write_bytes(pickle.dumps([1, 2]))
    then = (
        f"assert torch.load({str(path)!r}) == [1, 2]\n"
        f"with open({str(path)!r}, 'rb') as file: assert torch.load(file) == [1, 2]\n"
        "assert type(instantiate_from_config({'size': -1})) is object\n"
        "assert len(model.load_state_dict({'0': 9}, strict=False).missing_keys) == 8\n"
        "try: torch.load('nowhere')\n"
        "except FileNotFoundError: pass\n"
        "else: raise AssertionError"
    )
    scripts.run(state, then=then)
    assert scripts.run(state)[1]["built"] == 2


def test_preloading_stops_when_the_model_is_there(
    scripts: Scripts, state: main.RunnerState
) -> None:
    sys.path.insert(0, str(REPOSITORY))
    try:
        __import__("torch")
        scripts.run(state, preload=True)
    finally:
        sys.path.remove(str(REPOSITORY))
    seen, counts = scripts.run(state)
    assert counts["built"] == 1
    assert seen == scripts.cold()


def test_the_device_and_inode_distinguish_files(scripts: Scripts, state: main.RunnerState) -> None:
    scripts.run(state)
    one = scripts.folder / "one.ckpt"
    before = one.stat()
    copy = scripts.checkpoint("copy.ckpt", {str(number): number + 8 for number in range(2000)})
    os.utime(copy, ns=(before.st_mtime_ns, before.st_mtime_ns))
    copy.replace(one)
    assert scripts.run(state)[0]["weights"][:2] == [8, 9]
