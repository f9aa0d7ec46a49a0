"""Follows the random initial values of weights while a model is built, or leaves them out.

A layer allocates its weights and fills them with random numbers; then the checkpoint replaces them.
For the real model that is half of the time to load it. A mode of torch (`TorchFunctionMode` of
`torch.overrides`, torch 2.0 and later) sees each call of torch while the model is built. It notes
which memory holds random values, or values computed from them, so that the caller can check that a
checkpoint replaces all of it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

_FILLING = {
    "uniform_",
    "normal_",
    "trunc_normal_",
    "kaiming_uniform_",
    "kaiming_normal_",
    "xavier_uniform_",
    "xavier_normal_",
}
"""Methods of tensors and functions of `torch.nn.init` that fill a tensor with random numbers."""

_CREATING = {"rand", "randn", "rand_like", "randn_like", "randint", "randperm", "normal"}
"""Functions that return a new tensor of random numbers."""

_OVERWRITING = {"copy_", "zero_", "fill_", "constant_"}

_UNROLLED = 16
"""Torch makes normal numbers in groups of so many; a rest costs a whole group more."""


class Initialization:
    """The random initial values of the model that is built within `watch()`.

    If `skipped`, calls that fill existing memory with random numbers do nothing.
    """

    def __init__(self, *, skipped: bool) -> None:
        self.skipped = skipped
        self.numbers_guess = 0
        self._stopped = False
        self._calls = hashlib.sha256()
        self._random: dict[int, Any] = {}  # storages by their addresses; kept alive

    def stop(self) -> None:
        """Change nothing any more, even if an interrupt kept the context from ending."""
        self._stopped = True

    @property
    def calls(self) -> str:
        """A digest of the calls that drew random numbers, and of the shapes that they filled."""
        return self._calls.hexdigest()

    def watch(self) -> AbstractContextManager[Any]:
        """Return the context in which to build the model."""
        handle = self._handle

        class Mode(_torch().overrides.TorchFunctionMode):  # type: ignore[misc]  # known at run time
            def __torch_function__(
                self, function: Any, _types: Any, args: Any = (), options: Any = None
            ) -> Any:
                return handle(function, args, options or {})

        return Mode()

    def lacking(self, module: Any, given: Collection[str] = ()) -> list[str]:
        """Return the names of tensors that hold random values and are not among those `given`."""
        named = dict(_tensors(module))
        replaced = {_address(tensor) for name, tensor in named.items() if name in given}
        return [
            name
            for name, tensor in named.items()
            if name not in given and self._is_random(tensor) and _address(tensor) not in replaced
        ]

    def _handle(self, function: Callable[..., Any], args: Any, options: Mapping[str, Any]) -> Any:
        if self._stopped:
            return function(*args, **options)
        name = getattr(function, "__name__", "")
        if options.get("generator") is None:
            if name in _FILLING:
                target = args[0] if args else options["tensor"]
                self._note(name, target)
                self._mark([target])
                return target if self.skipped else function(*args, **options)
            if name in _CREATING:
                return self._create(name, function, args, options)
        if self.skipped and name == "clone" and self._is_random(args[0]):
            function = _torch().empty_like  # the numbers to copy are missing
        result = function(*args, **options)
        self._follow(name, [*args, *options.values()], result)
        return result

    def _create(
        self, name: str, function: Callable[..., Any], args: Any, options: Mapping[str, Any]
    ) -> Any:
        state = _torch().get_rng_state() if self.skipped else None
        result = function(*args, **options)
        if state is not None:
            _torch().set_rng_state(state)
        self._note(name, result)
        self._mark([result])
        return result

    def _note(self, name: str, target: Any) -> None:
        size = target.numel()
        layout = (name, tuple(target.shape), target.stride(), str(target.dtype), str(target.device))
        self._calls.update(repr(layout).encode())
        is_normal = name.endswith(("normal_", "randn", "randn_like")) and name != "trunc_normal_"
        self.numbers_guess += size + (_UNROLLED if is_normal and size % _UNROLLED else 0)

    def _follow(self, name: str, values: Iterable[Any], result: Any) -> None:
        """Note that a result computed from random values is random, and what is overwritten not."""
        tensors = list(_flat(values))
        inputs = tensors[1:] if name in _OVERWRITING else tensors
        if any(map(self._is_random, inputs)):
            self._mark([*_flat([result]), *(tensors[:1] if result is None else ())])
        elif name in _OVERWRITING and tensors:
            target = tensors[0]
            if target.numel() * target.element_size() == target.untyped_storage().nbytes():
                self._random.pop(_address(target), None)

    def _mark(self, tensors: Iterable[Any]) -> None:
        for tensor in tensors:
            address = _address(tensor)
            if address:
                self._random[address] = tensor.untyped_storage()

    def _is_random(self, tensor: Any) -> bool:
        return _address(tensor) in self._random


def is_supported() -> bool:
    """Whether this torch has what is needed here."""
    torch = sys.modules.get("torch")
    overrides = getattr(torch, "overrides", None)
    tensor = getattr(torch, "Tensor", None)
    return hasattr(overrides, "TorchFunctionMode") and hasattr(tensor, "untyped_storage")


def _tensors(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield all tensors of a module: weights, buffers, and plain attributes of its parts."""
    yield from module.state_dict(keep_vars=True).items()
    for prefix, part in module.named_modules():
        for name, value in [*vars(part).items(), *part.named_buffers(recurse=False)]:
            if isinstance(value, _torch().Tensor):
                yield f"{prefix}.{name}".lstrip("."), value


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, _torch().Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _flat(value)


def _address(tensor: Any) -> int:
    """Return where a tensor's memory begins; 0 if it has none."""
    try:
        return int(tensor.untyped_storage().data_ptr())
    except (NotImplementedError, RuntimeError):  # a sparse one, one on the meta device
        return 0


def _torch() -> Any:
    return sys.modules["torch"]
