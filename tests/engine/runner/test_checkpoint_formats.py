"""Files in the formats that people download, as the scripts get them. torch is stood in for."""

import pickle
import struct
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sdrest.engine.runner.checkpoint_formats import fit, read
from sdrest.engine.runner.weights import UnusableCheckpointError
from tests.support.checkpoints import (
    FIRST,
    TEXT,
    UNET,
    averaged,
    call,
    model,
    packed_file,
    safetensors_file,
    torch_file,
    torch_pickle,
)

AVERAGED = "model_ema.diffusion_modelinput_blocks00weight"


class Tensor(np.ndarray[Any, Any]):
    def element_size(self) -> int:
        return self.itemsize


def rebuild_tensor(_storage: str, _offset: int, size: tuple[int, ...], *_: object) -> Tensor:
    return np.zeros(size, np.uint8).view(Tensor)


TORCH = SimpleNamespace(
    dtype=np.dtype,
    float32=np.dtype("float32"),
    float16=np.dtype("float16"),
    uint8=np.dtype("uint8"),
    empty=lambda size, dtype: np.zeros(size, dtype).view(Tensor),
    frombuffer=lambda data, *, dtype, count, offset: np.frombuffer(data, dtype, count, offset),
    FloatStorage=type("FloatStorage", (), {}),
    _utils=SimpleNamespace(_rebuild_tensor_v2=rebuild_tensor),
)


def load(path: Any, *, pickle_module: Any = pickle, **_: object) -> Any:
    """Load a file as `torch.load` does: with the unpickler of a module that stands for `pickle`."""

    class Unpickler(pickle_module.Unpickler):  # type: ignore[misc]  # any module's
        def persistent_load(self, pid: Any) -> Any:
            return pid[2]

    with zipfile.ZipFile(path) as archive, archive.open("archive/data.pkl") as file:
        return Unpickler(file).load()


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", TORCH)
    monkeypatch.setitem(sys.modules, "torch._utils", TORCH._utils)


@pytest.mark.parametrize("wrap", [True, False])
def test_weights_are_under_state_dict(tmp_path: Path, wrap: bool) -> None:
    path = torch_file(tmp_path / "x.ckpt", model(), wrap=wrap)
    packed = packed_file(tmp_path / "x.zip", path)
    for file in (path, packed):
        checkpoint = read(load, file, trusted=False, map_location="cpu")
        assert {name: value.shape for name, value in checkpoint["state_dict"].items()} == model()
    assert sorted(tmp_path.iterdir()) == [path, packed]  # what was unpacked is gone


def test_safetensors_are_mapped(tmp_path: Path) -> None:
    path = safetensors_file(tmp_path / "x.safetensors", {"a": (2, 3), "b": (), "c": (0, 4)})
    with path.open("r+b") as file:
        file.seek(-28, 2)
        file.write(struct.pack("<7f", *range(7)))
    state = read(load, path, trusted=False)["state_dict"]
    assert state["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert state["b"].tolist() == 6
    assert state["c"].shape == (0, 4)
    before = path.read_bytes()
    state["a"][:] = 9
    assert path.read_bytes() == before


def test_safetensors_that_are_not_aligned(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}} '
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        struct.pack("<Q", len(header)) + header + np.array([1, 2], np.float16).tobytes()
    )
    assert (8 + len(header)) % 2

    class Bytes(np.ndarray[Any, Any]):
        def clone(self) -> Any:
            return self.copy().view(np.ndarray)

    raw = TORCH.frombuffer
    TORCH.frombuffer = lambda *given, **named: raw(*given, **named).view(Bytes)
    try:
        assert read(load, path, trusted=False)["state_dict"]["a"].tolist() == [1, 2]
    finally:
        TORCH.frombuffer = raw


@pytest.mark.parametrize(
    "text", [b"{x", b"{}[", b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}']
)
def test_damaged_safetensors_are_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(UnusableCheckpointError, match="damaged or incomplete"):
        read(load, path, trusted=False)


@pytest.mark.parametrize("packed", [False, True])
def test_only_a_trusted_pickle_may_call_what_it_likes(tmp_path: Path, packed: bool) -> None:
    made = tmp_path / "made"
    path = torch_file(tmp_path / "x.ckpt", model(), more=call("os", "mkdir", str(made)))
    file = packed_file(tmp_path / "x.zip", path) if packed else path
    checkpoint = read(load, file, trusted=False)
    assert not made.exists()
    assert checkpoint["state_dict"].keys() == model().keys()
    read(load, file, trusted=True)
    assert made.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *(("os", "system"), ("builtins", "eval"), ("builtins", "getattr"), ("torch", "load")),
        *(("torch.storage", "_load_from_bytes"), ("torch._utils", "_import_dotted_name")),
        *(("torch.hub", "load"), ("pickle", "loads"), ("subprocess", "Popen"), ("not", "there")),
    ],
)
def test_other_names_are_placeholders(tmp_path: Path, module: str, name: str) -> None:
    path = torch_file(tmp_path / "x.ckpt", model(), more=call(module, name, "anything"))
    placeholder = read(load, path, trusted=False)["hparams"]
    assert type(placeholder).__module__ == module
    assert placeholder("called") is placeholder


def test_a_pickle_cannot_change_the_functions_that_it_calls(tmp_path: Path) -> None:
    change = b"X\1\0\0\0xctorch._utils\n_rebuild_tensor_v2\n}X\1\0\0\0ycos\nsystem\nsb"
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", torch_pickle(model(), more=change))
    read(load, path, trusted=False)
    assert not vars(rebuild_tensor)


def test_a_program_is_refused(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "x.ckpt", model())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"\x80\x02).")
    with pytest.raises(UnusableCheckpointError, match="TorchScript"):
        read(load, path, trusted=False)


class Network:
    """As much of a network as `fit` asks for."""

    def __init__(self, *, use_ema: bool = False) -> None:
        self.use_ema = use_ema

    def named_parameters(self) -> list[tuple[str, None]]:
        return [(name, None) for name in model()]


def test_averaged_weights_take_the_place_of_trained_ones() -> None:
    given = dict.fromkeys(averaged(model()), 1)
    fitted = fit(Network(), given)
    assert model().keys() <= fitted.keys()
    assert fitted[UNET + FIRST] == given[AVERAGED]
    both = {**dict.fromkeys(model(), 2), **given}
    assert fit(Network(), both) is both  # the script chooses, as before


def test_trained_weights_take_the_place_of_averaged_ones() -> None:
    given = dict.fromkeys(model(), 1)
    assert fit(Network(), given) is given
    assert fit(Network(use_ema=True), given)[AVERAGED] == 1


def test_the_text_encoder_may_have_its_old_names() -> None:
    new = TEXT + "transformer.text_model.embeddings.token_embedding.weight"
    given = dict.fromkeys(model(), 1)
    given[new.replace("text_model.", "")] = given.pop(new)
    assert fit(Network(), given)[new] == 1
