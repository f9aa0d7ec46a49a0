"""Keeps models in memory from one run of a script to the next.

The fork's scripts load a checkpoint (`torch.load`), build a model
(`ldm.util.instantiate_from_config`) and fill it (`load_state_dict`). The cache wraps these
functions when their modules are imported. It returns a cached model if the same configuration is
built and the checkpoint's path still leads to the same file (size, time of change and inode are
unchanged). The RNG is advanced by the numbers that building the model consumed, so that the script
continues with the same numbers. What cannot be proven to be the same is built again.
"""

from __future__ import annotations

import collections
import functools
import gc
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import checkpoint_formats, rng
from .checkpoint import (
    CachedCheckpoint,
    CachedWeights,
    CheckpointSource,
    WithoutWeights,
    check,
    check_schedule,
    file_identity,
    tag_source,
)

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

_MAX_PRETRAINED = 8
_PRETRAINED = {
    "transformers.modeling_utils": "PreTrainedModel",
    "transformers.models.auto.feature_extraction_auto": "AutoFeatureExtractor",
}
"""Classes whose `from_pretrained` scripts call themselves, by their modules."""


class ModelLoaded(BaseException):
    """Ends a script that preloads, when its model is loaded."""


class ModelCache:
    """The models of this process, at most `limit`, the last used one at the end.

    `accelerated` returns whether scripts compute on something other than the CPU: then their noise
    comes from another generator, which building a model does not use. `script` is the name of the
    running file, `trusted` says that its checkpoint may call any function while it is loaded.
    """

    def __init__(self, limit: int, accelerated: Callable[[], bool]) -> None:
        self.stop_when_loaded = False
        self.script = ""
        self.trusted = True
        self._limit = max(1, limit)
        self._accelerated = accelerated
        self._models: list[_Model] = []
        self._pretrained: collections.OrderedDict[Any, _Built] = collections.OrderedDict()
        self._building = False
        self._pretrained_ids: set[int] = set()  # of weights loaded while a model is built

    def watch(self, imports: ImportHooks) -> None:
        """Wrap torch, the fork and transformers when they are imported."""
        imports.when_imported("torch", self._wrap_load)
        imports.when_imported("ldm.util", self._wrap_instantiate)
        for module, name in _PRETRAINED.items():
            imports.when_imported(module, functools.partial(self._wrap_pretrained, name))

    def _wrap_load(self, torch: Any) -> None:
        original = getattr(torch, "load", None)
        if original is None:  # not the real torch
            return

        @functools.wraps(original)
        def load(file: Any, *args: Any, **options: Any) -> Any:
            found = None if self._building else file_identity(file)
            if found is None:
                return original(file, *args, **options)
            read = functools.partial(
                checkpoint_formats.read, original, file, *args, trusted=self.trusted, **options
            )
            for model in self._models:
                if model.source and model.source.identity == found:
                    return CachedCheckpoint(model.source, read)
            checkpoint = read()
            if file_identity(file) == found:  # otherwise it was replaced meanwhile
                tag_source(checkpoint, found, str(file))
            return WithoutWeights.of(checkpoint)

        torch.load = load

    def _wrap_instantiate(self, util: Any) -> None:
        original = util.instantiate_from_config

        @functools.wraps(original)
        def instantiate(config: Any) -> Any:
            key = None if self._building or "torch" not in sys.modules else _config_text(config)
            if key is None:
                return original(config)
            self._retain([model for model in self._models if model.up_to_date])
            for model in self._models:
                if model.config == key:
                    others = [other for other in self._models if other is not model]
                    if model.reset(accelerated=self._accelerated()):
                        self._models = [*others, model]
                        return model.built.value
                    self._retain(others)
                    break
            self._retain(self._models[len(self._models) - self._limit + 1 :])
            self._pretrained_ids = set()
            built = self._build(functools.partial(original, config))
            if hasattr(built.value, "load_state_dict"):
                self._wrap_load_state_dict(_Model(key, built, self._pretrained_ids))
            return built.value

        util.instantiate_from_config = instantiate

    def _wrap_load_state_dict(self, model: _Model) -> None:
        module = model.built.value
        original = module.load_state_dict

        @functools.wraps(original)
        def load_state_dict(state: Any, *args: Any, **options: Any) -> Any:
            source = getattr(state, "source", None)
            if source is None or source != model.source:
                tensors = dict(state) if isinstance(state, CachedWeights) else state
                tensors = checkpoint_formats.fit(module, tensors)
                if source is not None:
                    check(module, tensors, pretrained_ids=model.pretrained_ids, script=self.script)
                self._retain([other for other in self._models if other is not model])
                model.record_weights(source, original(tensors, *args, **options))
                check_schedule(module, tensors)
                if source is not None and model.complete:
                    self._models.append(model)
            if self.stop_when_loaded:
                raise ModelLoaded
            return model.result

        module.__dict__["load_state_dict"] = load_state_dict

    def _wrap_pretrained(self, name: str, module: Any) -> None:
        owner = getattr(module, name)
        original = owner.from_pretrained.__func__

        @functools.wraps(original)
        def from_pretrained(cls: Any, source: Any, *args: Any, **options: Any) -> Any:
            build = functools.partial(original, cls, source, *args, **options)
            if self._building:
                value = build()
                self._pretrained_ids |= {
                    id(weight) for weight in getattr(value, "parameters", tuple)()
                }
                return value
            key = (cls, str(source), _folder_identity(source), repr(args), repr(options))
            cached = self._pretrained.pop(key, None)
            if cached is None or not cached.advance_rng(accelerated=self._accelerated()):
                cached = self._build(build)
            self._pretrained[key] = cached
            if len(self._pretrained) > _MAX_PRETRAINED:
                self._pretrained.popitem(last=False)
            return cached.value

        owner.from_pretrained = classmethod(from_pretrained)

    def _build(self, build: Callable[[], Any]) -> _Built:
        """Build something; what is loaded meanwhile belongs to it and is not cached itself."""
        before = _RandomStates()
        self._building = True
        try:
            value = build()
        finally:
            self._building = False
        return _Built(value, before, _RandomStates())

    def _retain(self, models: list[_Model]) -> None:
        """Drop all other models and free their memory, before the next one is loaded."""
        if len(models) < len(self._models):
            self._models = models
            gc.collect()
            if self._accelerated():
                torch = _torch()
                accelerator = torch.cuda if torch.cuda.is_available() else torch.mps
                accelerator.empty_cache()


class _RandomStates:
    """The states of the random generators: torch's for the CPU, Python's and NumPy's."""

    def __init__(self) -> None:
        self.torch: bytes = _torch().get_rng_state().numpy().tobytes()
        numpy = sys.modules["numpy"].random.get_state()  # torch and its tensors need it as well
        self.others = random.getstate(), numpy[1].tobytes(), numpy[2:]


class _Built:
    """A built object, and the random numbers that building it consumed."""

    def __init__(self, value: Any, before: _RandomStates, after: _RandomStates) -> None:
        self.value = value
        self._states: tuple[_RandomStates, _RandomStates] | None = (before, after)
        self._draws = 0

    def advance_rng(self, *, accelerated: bool) -> bool:
        """Advance the RNG as building does; return whether that is possible."""
        if accelerated:
            return True
        try:
            if self._states:
                before, after = self._states
                if before.others != after.others:
                    return False
                self._draws = rng.count_draws(before.torch, after.torch)
                self._states = None
            moved = rng.advance(_RandomStates().torch, self._draws)
        except rng.UnknownStateError:
            return False
        torch = _torch()
        torch.set_rng_state(torch.frombuffer(bytearray(moved), dtype=torch.uint8))
        return True


class _Model:
    """A model, its configuration, and the checkpoint that it was filled from.

    `pretrained_ids` are the ids of weights that do not come from the checkpoint.
    """

    def __init__(self, config: str, built: _Built, pretrained_ids: set[int]) -> None:
        self.config = config
        self.pretrained_ids = pretrained_ids
        self.built = built
        self.source: CheckpointSource | None = None
        self.result: Any = None
        self._training_modes = [(part, part.training) for part in built.value.modules()]
        self._requires_grad = [
            (weight, weight.requires_grad) for weight in built.value.parameters()
        ]
        self._versions: list[int] = []

    def record_weights(self, source: CheckpointSource | None, result: Any) -> None:
        """Record what `load_state_dict` read and returned."""
        self.source, self.result = source, result
        self._versions = self._read_versions()

    @property
    def complete(self) -> bool:
        """Whether the checkpoint had all weights; missing ones are random at each build."""
        weights = {name for name, _ in self.built.value.named_parameters()}
        return weights.isdisjoint(getattr(self.result, "missing_keys", weights))

    @property
    def up_to_date(self) -> bool:
        """Whether the checkpoint's file is unchanged."""
        return bool(self.source and file_identity(self.source.path) == self.source.identity)

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

    def _read_versions(self) -> list[int]:
        """Return torch's counter of in-place changes of each weight."""
        return [weight._version for weight in self.built.value.parameters()]  # noqa: SLF001 (no other name)


def _torch() -> Any:
    return sys.modules["torch"]


def _folder_identity(source: Any) -> Any:
    """Return the identities of the files in a pretrained model's folder; None for a name."""
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_dir():
        return None
    return tuple(sorted(filter(None, map(file_identity, Path(source).iterdir()))))


def _config_text(config: Any) -> str | None:
    """Return a configuration as canonical text; None without omegaconf."""
    omegaconf = sys.modules.get("omegaconf")
    try:
        return str(omegaconf.OmegaConf.to_yaml(config, resolve=True)) if omegaconf else None
    except Exception:  # noqa: BLE001 (not a configuration of omegaconf)
        return None
