"""Which weights a checkpoint file holds, read without torch and without the numbers themselves.

torch writes a pickle that names each tensor's storage, and the storages elsewhere: in a zip archive
since 1.6, behind the pickle before. Only the pickle is read here. Nothing in it is executed: what
it would call, but for what builds a tensor, becomes an object that does nothing.
"""

import collections
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from sdrest.engine.runner.checkpoint import describe_weights
from sdrest.engine.runner.weights import Weight

_LONGEST_PICKLE = 1 << 28
_MAGIC = 0x1950A86A20F9469CFC6C
_PICKLES_BEFORE = 2  # of the older format, between the magic number and the checkpoint
_DTYPES = {
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "BoolStorage": "bool",
}
"""The types of the numbers by the class of their storage."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The weights of a checkpoint, or its entries where they are not under `state_dict`."""

    weights: Mapping[str, Weight]
    has_state_dict: bool


def read(path: Path) -> Contents | None:
    """Return what a checkpoint holds; None where the file is not one of torch's. Raises OSError."""
    try:
        checkpoint = _load(path)
    except OSError:
        raise
    except Exception:  # noqa: BLE001 (a damaged pickle raises whatever it likes)
        return None
    if not isinstance(checkpoint, dict):
        return None
    state = checkpoint.get("state_dict")
    if isinstance(state, dict):
        return Contents(describe_weights(state), has_state_dict=True)
    return Contents(describe_weights(checkpoint), has_state_dict=False)


def _load(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            if archive.getinfo(name).file_size > _LONGEST_PICKLE:
                return None
            with archive.open(name) as file:
                return _Reader(file).load()
    with path.open("rb") as file:
        if _Reader(file).load() != _MAGIC:
            return None
        for _ in range(_PICKLES_BEFORE):
            _Reader(file).load()
        return _Reader(file).load()


class _Stub:
    """Takes the place of an object that a pickle would make, whatever it does to it."""

    def __new__(cls, *_: object, **__: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, *_: object) -> None:
        pass

    def append(self, _: object) -> None:
        """Do nothing."""

    def extend(self, _: object) -> None:
        """Do nothing."""


class _Reader(pickle.Unpickler):
    """Reads tensors as their shapes and types."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or function of that name."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in _BUILDERS:
            return _BUILDERS[name]
        if (module, name) == ("torch", "Size"):
            return tuple
        return type(name, (_Stub,), {"__module__": module})

    def persistent_load(self, pid: Any) -> str:
        """Return the type of the numbers in a storage: `("storage", CLASS, KEY, PLACE, COUNT)`."""
        return _DTYPES.get(getattr(pid[1], "__name__", ""), "")


def _tensor(storage: object, _offset: int, size: tuple[int, ...], *_: object) -> Weight:
    return Weight(tuple(size), str(storage))


def _typed_tensor(*arguments: Any) -> Weight:
    """Take what `_rebuild_tensor_v3` takes: the type of the numbers is the seventh."""
    return Weight(tuple(arguments[2]), arguments[6].__name__)


def _parameter(data: Any, *_: object) -> Any:
    return data


_BUILDERS = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _typed_tensor,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
}
"""The functions of `torch._utils` that build tensors."""
