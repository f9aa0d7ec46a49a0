"""Which weights a checkpoint file holds, read without torch and without the numbers themselves.

torch writes a pickle that names each tensor's storage, and the storages elsewhere: in a zip archive
since 1.6, behind the pickle before. Only the pickle is read here. Nothing in it is executed: what
it would call, but for what builds a tensor, becomes an object that does nothing. A safetensors file
begins with a header in JSON.
"""

import collections
import io
import json
import pickle
import pickletools
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from sdrest.engine.runner.checkpoint import describe_weights
from sdrest.engine.runner.checkpoint_formats import (
    LONGEST_HEADER,
    SAFETENSORS_DTYPES,
    Placeholder,
    packed_checkpoint,
)
from sdrest.engine.runner.weights import Weight

_LONGEST_PICKLE = 1 << 26
_MOST_OPCODES = 1_000_000
"""Most opcodes of a pickle that is looked at: a second's work. Models have some 30,000."""
_MAGIC = 0x1950A86A20F9469CFC6C
_PICKLES_BEFORE = 2  # of the older format, between the magic number and the checkpoint
ZIP = b"PK\x03\x04"
"""What a zip archive begins with."""
_ZIP_HEADER = struct.Struct("<4s22xHH")
"""The header of a file in a zip archive: what it begins with, the lengths of name and extra."""
_MEMO_WRITERS = {"PUT", "BINPUT", "LONG_BINPUT"}

_DTYPES = {
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "FloatStorage": ("float32", 4),
    "DoubleStorage": ("float64", 8),
    "ByteStorage": ("uint8", 1),
    "CharStorage": ("int8", 1),
    "ShortStorage": ("int16", 2),
    "IntStorage": ("int32", 4),
    "LongStorage": ("int64", 8),
    "BoolStorage": ("bool", 1),
}
"""The types of the numbers and their bytes, by the class of their storage."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The weights of a checkpoint, or its entries where they are not under `state_dict`.

    `least_size` is how many bytes the file has at least, if it is whole.
    """

    weights: Mapping[str, Weight]
    has_state_dict: bool
    least_size: int = 0


def read(path: Path) -> Contents | None:
    """Return what a file written by torch holds; None for any other. Raises OSError."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                return _read_legacy(file.read(_LONGEST_PICKLE))
        with zipfile.ZipFile(path) as archive:
            packed = packed_checkpoint(path)
            if packed:
                with archive.open(packed) as file:
                    found = _read_packed(file)
                return found and replace(found, least_size=0)  # that of the unpacked file
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            with archive.open(name) as file:
                return _contents(_load(io.BytesIO(file.read(_LONGEST_PICKLE)))[0])
    except OSError:
        raise
    except Exception:  # noqa: BLE001 (a damaged pickle raises whatever it likes)
        return None


def read_safetensors(path: Path) -> Contents | None:
    """Return what a safetensors file holds; None where its header is damaged. Raises OSError."""
    with path.open("rb") as file:
        return _safetensors_contents(file)


def _read_packed(file: IO[bytes]) -> Contents | None:
    """Read a checkpoint that lies in a zip archive, as far as its beginning says what it holds."""
    data = file.read(_LONGEST_PICKLE)
    if data[8:9] == b"{":
        return _safetensors_contents(io.BytesIO(data))
    if not data.startswith(ZIP):
        return _read_legacy(data)
    _, name, extra = _ZIP_HEADER.unpack_from(data)  # torch writes its pickle first
    start = _ZIP_HEADER.size + name + extra
    return _contents(_load(io.BytesIO(data[start:]))[0])


def _read_legacy(data: bytes) -> Contents | None:
    file = io.BytesIO(data)
    if _load(file)[0] != _MAGIC:
        return None
    for _ in range(_PICKLES_BEFORE):
        _load(file)
    checkpoint, size = _load(file)
    return _contents(checkpoint, file.tell() + size)


def _safetensors_contents(file: IO[bytes]) -> Contents | None:
    length = int.from_bytes(file.read(8), "little")
    if length > LONGEST_HEADER:
        return None
    try:
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        weights = {
            name: Weight(tuple(item["shape"]), SAFETENSORS_DTYPES.get(item["dtype"], ""))
            for name, item in header.items()
        }
        ends = [int(item["data_offsets"][1]) for item in header.values()]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return Contents(weights, has_state_dict=True, least_size=8 + length + max(ends, default=0))


def _contents(checkpoint: Any, least_size: int = 0) -> Contents | None:
    if not isinstance(checkpoint, dict):
        return None
    state = checkpoint.get("state_dict")
    if isinstance(state, dict):
        return Contents(describe_weights(state), has_state_dict=True, least_size=least_size)
    return Contents(describe_weights(checkpoint), has_state_dict=False, least_size=least_size)


def _load(file: io.BytesIO) -> tuple[Any, int]:
    """Read a pickle and go behind it; return its value and the bytes of the storages it names."""
    start = file.tell()
    _check_opcodes(file)
    end = file.tell()
    file.seek(start)
    reader = _Reader(io.BytesIO(file.read(end - start)))
    value = reader.load()
    return value, sum(reader.storages.values())


def _check_opcodes(file: io.BytesIO) -> None:
    """Raise `ValueError` for a pickle of too many opcodes or that numbers its objects with gaps.

    The unpickler of CPython reserves memory for all numbers up to the highest one.
    """
    written = 0
    for index, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        if index >= _MOST_OPCODES:
            raise ValueError("The pickle is too long.")
        if opcode.name in _MEMO_WRITERS:
            written += 1
            if int(argument or 0) > written:
                raise ValueError("The pickle's memo has gaps.")


class _Reader(pickle.Unpickler):
    """Reads tensors as their shapes and types; `storages` are the bytes of each by its key."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[Any, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or function of that name."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in _BUILDERS:
            return _BUILDERS[name]
        if (module, name) == ("torch", "Size"):
            return tuple
        return type(name, (Placeholder,), {"__module__": module})

    def persistent_load(self, pid: Any) -> str:
        """Return the type of the numbers in a storage: `("storage", CLASS, KEY, PLACE, COUNT)`."""
        dtype, size = _DTYPES.get(getattr(pid[1], "__name__", ""), ("", 1))
        self.storages[pid[2]] = size * pid[4]
        return dtype


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
