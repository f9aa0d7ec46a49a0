"""A model that stays loaded: how it is filled from a checkpoint, and reset for the next job."""

from __future__ import annotations

import collections
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .checkpoint import CheckpointSource, file_identity

if TYPE_CHECKING:
    from .built import Built

_ALIGNMENT = 64
"""Bytes at whose multiples torch allocates memory; its own files have tensors there, too.

Elsewhere arithmetic may round in another order than in the bare script. Weights with an attribute
`alignment` come from a format that the bare script cannot read.
"""


class CachedModel:
    """A model, its configuration, and the checkpoint that it was filled from.

    `pretrained_ids` are the ids of weights that do not come from the checkpoint. It is `complete`
    if no value is random, which another job may not find.
    """

    def __init__(self, config: str, built: Built, pretrained_ids: set[int]) -> None:
        self.config = config
        self.pretrained_ids = pretrained_ids
        self.built = built
        self.source: CheckpointSource | None = None
        self.result: Any = None
        self.complete = False
        self._training_modes = [(part, part.training) for part in built.value.modules()]
        self._requires_grad: list[tuple[Any, bool]] = []
        self._versions: list[int] = []

    def fill(
        self,
        load: Callable[..., Any],
        state: Mapping[str, Any],
        source: CheckpointSource | None,
        *args: Any,
        **options: Any,
    ) -> None:
        """Fill the model with the tensors `state` as its own `load` does, without copying them."""
        module = self.built.value
        can_assign = not args and "assign" in inspect.signature(load).parameters
        if can_assign and not _has_shared_weights(module):
            state = _without_copies(module, state)
            options = {"assign": True, **options}
        self.result = load(state, *args, **options)
        weights = {name for name, _ in module.named_parameters()}
        missing = getattr(self.result, "missing_keys", weights)
        self.complete = self.built.complete(state) and weights.isdisjoint(missing)
        self.source = source
        self._requires_grad = [(weight, weight.requires_grad) for weight in module.parameters()]
        self._versions = self._read_versions()

    @property
    def up_to_date(self) -> bool:
        """Whether the checkpoint's file is unchanged.

        It is found without the links that led to it: those of inpaint.py go with their job.
        """
        identity = self.source.identity if self.source else None
        return identity is not None and file_identity(identity[0]) == identity

    def reset(self, *, accelerated: bool) -> bool:
        """Bring model and RNG into the state after building; return whether that is possible."""
        if not accelerated and self._versions != self._read_versions():
            return False
        if not self.built.advance_rng(accelerated=accelerated):
            return False
        for part, training in self._training_modes:
            part.training = training
        for weight, requires_grad in self._requires_grad:
            weight.requires_grad = requires_grad
        return True

    def drop_copies(self) -> None:
        """Free the copies of the trained weights that sampling with averaged ones leaves (EMA)."""
        averaged: Any = getattr(self.built.value, "model_ema", None)
        if getattr(averaged, "collected_params", None):
            averaged.collected_params = []

    def _read_versions(self) -> list[int]:
        """Return torch's counter of in-place changes of each weight."""
        return [weight._version for weight in self.built.value.parameters()]  # noqa: SLF001 (no other name)


def _without_copies(module: Any, state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a checkpoint's tensors so that they can become the module's own.

    Copied are those that the module would convert, and those that share memory.
    """
    fitted = collections.OrderedDict(state)
    fitted.__dict__.update(getattr(state, "__dict__", {}))  # its _metadata
    alignment = getattr(state, "alignment", _ALIGNMENT)
    used: set[int] = set()
    for name, own in module.state_dict(keep_vars=True).items():
        given: Any = fitted.get(name)
        if getattr(given, "shape", None) != own.shape:  # missing, or torch reports it
            continue
        is_aligned = given.data_ptr() % alignment == 0
        if not (is_aligned and _is_alike(given, own)) or given.data_ptr() in used:
            fitted[name] = sys.modules["torch"].empty_like(own.detach()).copy_(given.detach())
        used.add(given.data_ptr())
    return fitted


def _is_alike(given: Any, own: Any) -> bool:
    """Whether computing with either tensor takes the same code of torch."""
    return (given.dtype, given.device, given.layout, given.stride()) == (
        own.dtype,
        own.device,
        own.layout,
        own.stride(),
    )


def _has_shared_weights(module: Any) -> bool:
    """Whether two parts of a module share a weight, which must stay one."""
    weights = list(map(id, module.state_dict(keep_vars=True).values()))
    return len(weights) > len(set(weights))
