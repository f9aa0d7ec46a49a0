"""As much of torch as scripts of the fork's shape need: a generator with torch's state, weights."""

import functools
import pickle
import struct
import types
import weakref
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch_native  # type: ignore[import-not-found]  # the one beside this file

torch_native.register("triton")
torch_native.wait()

uint8 = "uint8"
reads: list[str] = []
draws: list[int] = []
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
    draws.append(count)
    return [int(number) for number in _twister.random_raw(count)]


def load(file: Any, *, mmap: bool = False) -> Any:
    reads.append(str(file))
    data = file.read() if hasattr(file, "read") else Path(file).read_bytes()
    if data.startswith(b"PK"):
        with zipfile.ZipFile(file) as archive:
            return {**pickle.loads(archive.read("data.pkl")), "mmap": mmap}
    assert not mmap
    return pickle.loads(data)


class TorchFunctionMode:
    """Sees each call of a function that is `overridable` within its context."""

    def __enter__(self) -> None:
        _modes.append(self)

    def __exit__(self, *_: object) -> None:
        _modes.remove(self)

    def __torch_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        raise NotImplementedError


_modes: list[TorchFunctionMode] = []
overrides = types.SimpleNamespace(TorchFunctionMode=TorchFunctionMode)


def overridable(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if not _modes:
            return function(*args, **options)
        mode = _modes.pop()  # it does not see the calls that it makes itself
        try:
            return mode.__torch_function__(call, (), args, options)
        finally:
            _modes.append(mode)

    return call


class Storage:
    def data_ptr(self) -> int:
        return id(self)

    def nbytes(self) -> int:
        return 4


class Tensor:
    """One number."""

    shape = ()
    dtype = "float32"
    device = "cpu"

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self._storage = Storage()
        self._version = 0

    def untyped_storage(self) -> Storage:
        return self._storage

    def numel(self) -> int:
        return 1

    def element_size(self) -> int:
        return 4

    def stride(self) -> tuple[int, ...]:
        return ()

    @overridable
    def uniform_(self) -> "Tensor":
        self.value = draw()[0]
        return self

    @overridable
    def clone(self) -> "Tensor":
        return Tensor(self.value)

    @overridable
    def copy_(self, other: "Tensor") -> "Tensor":
        self.value = other.value
        return self


class Weight(Tensor):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad = True

    def change(self, value: int) -> None:
        self.value = value
        self._version += 1


def empty_like(tensor: Tensor) -> Tensor:
    return Tensor()


class IncompatibleKeys(NamedTuple):
    missing_keys: list[str]


_alive: "weakref.WeakSet[Model]" = weakref.WeakSet()


class Model:
    """A model whose weights begin with random numbers; it may have buffers that do, too."""

    built = 0
    most_alive = 0

    def __init__(self, size: int, *, has_buffers: bool = False, inverts: bool = False) -> None:
        Model.built += 1
        _alive.add(self)
        Model.most_alive = max(Model.most_alive, len(_alive))
        self.training = True
        self.weights = [Weight() for _ in range(size)]
        for weight in self.weights:
            weight.uniform_()
        self.inverse = 1 / self.weights[0].value if inverts else None
        self.buffers: dict[str, Tensor] = {}
        if has_buffers:
            self.buffers = {"drawn": Tensor().uniform_(), "copied": self.weights[0].clone()}

    def modules(self) -> "list[Model]":
        return [self]

    def named_modules(self) -> "list[tuple[str, Model]]":
        return [("", self)]

    def named_buffers(self, *, recurse: bool) -> list[tuple[str, Tensor]]:
        assert not recurse
        return [*self.buffers.items()]

    def parameters(self) -> list[Weight]:
        return [weight for _, weight in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Weight]]:
        return [(str(number), weight) for number, weight in enumerate(self.weights)]

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Tensor]:  # noqa: ARG002 (torch's)
        return {**dict(self.named_parameters()), **dict(self.named_buffers(recurse=False))}

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool) -> IncompatibleKeys:
        assert not strict
        names = self.state_dict()
        for name, tensor in names.items():
            if name in state:
                given = state[name]
                tensor.value = given.value if isinstance(given, Tensor) else given
                tensor._version += 1
        return IncompatibleKeys(missing_keys=[name for name in names if name not in state])
