"""Reads checkpoints in the formats that people download, for scripts that expect one of them.

The scripts expect a dict with the weights under `state_dict`, as Lightning writes it with
`torch.save`. Here other files give the same: safetensors, a file without `state_dict` around its
weights, one in a zip archive, one with averaged weights (EMA) only.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import json
import mmap
import os
import pickle
import shutil
import sys
import tempfile
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import weights
from .checkpoint import describe_weights

SAFETENSORS_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""The names that safetensors and torch have for the types of numbers."""

LONGEST_HEADER = 100 * 2**20
"""Most bytes of a safetensors header, as the format's own library has it."""

_MODELS = {"text-to-image", "inpainting", "ema"}
_ENDINGS = (".ckpt", ".safetensors")
_TEXT_ENCODER = "cond_stage_model.transformer."

_DAMAGED = "is a safetensors file that is damaged or incomplete. Download it again."
_TORCH_SCRIPT = f"is a TorchScript program. {weights.REMEDY}"


def read(load: Callable[..., Any], file: Any, *args: Any, trusted: bool, **options: Any) -> Any:
    """Return a checkpoint as the scripts expect it; what is not known comes as `load` returns it.

    `load` has the parameters of `torch.load`. The pickle in a file that is not `trusted` cannot
    call anything but what builds tensors. Raises `UnusableCheckpointError`.
    """
    name = packed_checkpoint(file)
    if name is None:
        return _read_file(load, file, *args, trusted=trusted, **options)
    with _unpacked(file, name) as path:
        return _read_file(load, path, *args, trusted=trusted, **options)


def fit(module: Any, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return weights under the names that a network has for them; `state` if it has them already.

    Averaged weights take the place of trained ones that are missing, and the other way round in a
    network that samples with averaged ones.
    """
    added = {}
    for name, _ in module.named_parameters():
        for wanted, other in _other_names(name, use_ema=getattr(module, "use_ema", False)):
            if wanted not in state and other in state:
                added[wanted] = state[other]
    return collections.OrderedDict([*state.items(), *added.items()]) if added else state


def averaged_name(name: str) -> str:
    """Return the name that the fork gives to the averaged weight of a trained one."""
    return weights.EMA + name[len("model.") :].replace(".", "")


def _other_names(name: str, *, use_ema: bool) -> Iterator[tuple[str, str]]:
    """Yield pairs of a name that a network has for a weight and another that a file may have."""
    if name.startswith(weights.UNET):
        yield name, averaged_name(name)
        if use_ema:
            yield averaged_name(name), name
    elif name.startswith(f"{_TEXT_ENCODER}text_model."):  # missing in files of older programs
        yield name, name.replace("text_model.", "", 1)


def packed_checkpoint(path: Any) -> str | None:
    """Return the name of the checkpoint in a zip archive; None for any other file."""
    names = _names_in_zip(path)
    if any(name.endswith("data.pkl") for name in names):  # torch's own format
        return None
    return next((name for name in names if name.lower().endswith(_ENDINGS)), None)


def is_safetensors(path: Any) -> bool:
    """Whether a file begins as a safetensors file: the length of its header, then the header."""
    head = b""
    with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 (any path)
        head = file.read(9)
    return head[8:] == b"{" and 1 < int.from_bytes(head[:8], "little") <= LONGEST_HEADER


def _read_file(
    load: Callable[..., Any], file: Any, *args: Any, trusted: bool, **options: Any
) -> Any:
    if is_safetensors(file):
        return {"state_dict": _read_safetensors(file)}
    if not trusted:
        if any(name.endswith("constants.pkl") for name in _names_in_zip(file)):
            raise weights.UnusableCheckpointError(_TORCH_SCRIPT)
        if not args:  # weights of a GPU load on a machine without one
            options = {"map_location": "cpu", **options}
        options = {**options, "pickle_module": _restricted_pickle()}
        options.pop("weights_only", None)
    return _with_state_dict(load(file, *args, **options))


def _with_state_dict(checkpoint: Any) -> Any:
    """Return a checkpoint with its weights under `state_dict`, if they are those of a model."""
    if type(checkpoint) not in (dict, collections.OrderedDict) or "state_dict" in checkpoint:
        return checkpoint
    code, _ = weights.code_and_kind(describe_weights(checkpoint))
    return {"state_dict": checkpoint} if code in _MODELS else checkpoint


def _read_safetensors(path: Any) -> collections.OrderedDict[str, Any]:
    """Return the tensors of a safetensors file, on the CPU, in memory that maps the file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (any path)
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
            # Copied on write, so that the tensors may be written to, and the file stays as it is.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        header.pop("__metadata__", None)
        tensors = collections.OrderedDict(
            (name, _tensor(data, 8 + length, **item)) for name, item in header.items()
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise weights.UnusableCheckpointError(_DAMAGED) from error
    vars(tensors)["alignment"] = 1  # the format has them anywhere; see `cached_model.py`
    return tensors


def _tensor(
    data: mmap.mmap, start: int, *, dtype: str, shape: list[int], data_offsets: list[int]
) -> Any:
    torch = sys.modules["torch"]
    kind = getattr(torch, SAFETENSORS_DTYPES[dtype])
    empty = torch.empty(0, dtype=kind)
    first, last = data_offsets
    count = (last - first) // empty.element_size()
    if not count:
        return empty.reshape(shape)
    offset = start + first
    if offset % empty.element_size():  # not aligned
        raw = torch.frombuffer(data, dtype=torch.uint8, count=last - first, offset=offset)
        return raw.clone().view(kind).reshape(shape)
    return torch.frombuffer(data, dtype=kind, count=count, offset=offset).reshape(shape)


def _names_in_zip(path: Any) -> list[str]:
    """Return the names in a zip archive; none for another file or a damaged archive."""
    if not zipfile.is_zipfile(path):
        return []
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return archive.namelist()
    return []


@contextlib.contextmanager
def _unpacked(path: Any, name: str) -> Iterator[str]:
    """Unpack a file of a zip archive for the time of a block, beside the archive if possible.

    `zipfile` can read a compressed file only from its beginning to its end, torch in no order.
    """
    with zipfile.ZipFile(path) as archive, archive.open(name) as source:
        target = _temporary_file(os.path.dirname(path), archive.getinfo(name).file_size)  # noqa: PTH120 (any path)
        try:
            with target:
                shutil.copyfileobj(source, target, 1 << 20)
            yield target.name
        finally:
            os.unlink(target.name)  # noqa: PTH108 (as above)


def _temporary_file(folder: str, size: int) -> Any:
    """Return a new file in a folder, or among temporary files. Raises OSError without room."""
    for place in (folder or ".", tempfile.gettempdir()):
        if shutil.disk_usage(place).free > size:
            with contextlib.suppress(OSError):
                return tempfile.NamedTemporaryFile(
                    dir=place, prefix=".sdrest-", suffix=".part", delete=False
                )
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Placeholder:
    """Takes the place of an object that a pickle would make, and does nothing."""

    def __new__(cls, *_: object, **__: object) -> Any:
        """Make one, whatever the arguments are."""
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> Any:
        """Return itself."""
        return self

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, *_: object) -> None:
        pass

    def append(self, _: object) -> None:
        """Do nothing."""

    def extend(self, _: object) -> None:
        """Do nothing."""


class _RestrictedUnpickler(pickle.Unpickler):
    """Builds tensors, dicts and plain values; a class or function of any other name is replaced."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may call by that name, else a placeholder."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        torch = sys.modules["torch"]
        if module == "torch._utils" and name in _BUILDERS:
            return _once(getattr(torch._utils, name))  # noqa: SLF001 (the name in torch's files)
        found = vars(torch).get(name) if module == "torch" else None
        if isinstance(found, torch.dtype) or (module, name) == ("torch", "Size"):
            return found
        return type(name, (Placeholder,), {"__module__": module})


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of its own for each pickle, which may set attributes of what it gets."""

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


_BUILDERS = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter"}
"""The functions of `torch._utils` that build tensors of numbers in a file."""


def _restricted_pickle() -> types.ModuleType:
    """Return what `torch.load` can use in place of the module `pickle`."""
    module = types.ModuleType("restricted_pickle")
    module.__dict__.update(
        Unpickler=_RestrictedUnpickler,
        UnpicklingError=pickle.UnpicklingError,
        load=lambda file, **options: _RestrictedUnpickler(file, **options).load(),
    )
    return module
