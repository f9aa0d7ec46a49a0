"""As much of torch as scripts of the fork's shape need: a generator with torch's state, weights."""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch_native  # type: ignore[import-not-found]  # the one beside this file

torch_native.register("triton")
torch_native.wait()

uint8 = "uint8"
reads: list[str] = []
_twister = np.random.MT19937()


class _Cuda:
    @staticmethod
    def is_available() -> bool:
        return False


cuda = _Cuda()
backends = object()  # without mps


functional = SimpleNamespace(scaled_dot_product_attention=lambda query, *_: query)
nn = SimpleNamespace(functional=functional)


class Bytes:
    """A tensor of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def numpy(self) -> Any:
        return np.frombuffer(self.data, dtype=np.uint8)


def frombuffer(data: bytearray, dtype: str) -> Bytes:
    return Bytes(bytes(data))


def manual_seed(seed: int) -> None:
    _twister._legacy_seeding(seed & 0xFFFFFFFF)  # as torch seeds its own


manual_seed(67280421310721)  # torch's default


def get_rng_state() -> Bytes:
    state = _twister.state["state"]
    head = struct.pack("<QiiQ", 0, 625 - state["pos"], 1, state["pos"])
    return Bytes(head + state["key"].astype("<u8").tobytes() + bytes(40))


def set_rng_state(state: Bytes) -> None:
    key = np.frombuffer(state.data, dtype="<u8", count=624, offset=24).astype(np.uint32)
    (position,) = struct.unpack_from("<Q", state.data, 16)
    _twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}


def draw(count: int = 1) -> list[int]:
    return [int(number) for number in _twister.random_raw(count)]


def load(file: str) -> Any:
    reads.append(str(file))
    return pickle.loads(Path(file).read_bytes())


class Weight:
    def __init__(self, value: int) -> None:
        self.value = value
        self.requires_grad = True
        self._version = 0

    def change(self, value: int) -> None:
        self.value = value
        self._version += 1


class IncompatibleKeys(NamedTuple):
    missing_keys: list[str]


class Model:
    """A model with a few weights that begin with random numbers."""

    built = 0

    def __init__(self, size: int) -> None:
        Model.built += 1
        self.training = True
        self.weights = [Weight(number) for number in draw(size)]

    def modules(self) -> "list[Model]":
        return [self]

    def parameters(self) -> list[Weight]:
        return self.weights

    def named_parameters(self) -> list[tuple[str, Weight]]:
        return [(str(number), weight) for number, weight in enumerate(self.weights)]

    def state_dict(self, *, keep_vars: bool) -> dict[str, Weight]:
        assert keep_vars
        return dict(self.named_parameters())

    def load_state_dict(self, state: Mapping[str, int], *, strict: bool) -> IncompatibleKeys:
        assert not strict
        names = dict(self.named_parameters())
        for name, weight in names.items():
            if name in state:
                weight.change(state[name])
        return IncompatibleKeys(missing_keys=[name for name in names if name not in state])
