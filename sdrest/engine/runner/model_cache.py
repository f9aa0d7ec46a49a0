"""Models that stay in memory from one run of a script to the next.

The fork's scripts load a checkpoint (`torch.load`), build a model
(`ldm.util.instantiate_from_config`) and fill it (`load_state_dict`). These functions are wrapped,
from outside, as soon as their modules are imported. A model that was filled is given out again
where the same configuration is built and the checkpoint's path still leads to the same file (size,
time of change and inode as they were). What it cost in random numbers is paid again, so that the
script goes on with the numbers that it would have had. What cannot be shown to be the same is built
afresh.
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

from . import rng
from .checkpoint import (
    Checkpoint,
    Source,
    Tensors,
    WithoutWeights,
    check,
    check_schedule,
    identity,
    tag,
)

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

_MOST_PRETRAINED = 8
_PRETRAINED = {
    "transformers.modeling_utils": "PreTrainedModel",
    "transformers.models.auto.feature_extraction_auto": "AutoFeatureExtractor",
}
"""Classes whose `from_pretrained` scripts call themselves, by their modules."""


class Loaded(BaseException):
    """The model is loaded, and that is all that was wanted."""


class ModelCache:
    """The models of this process, at most `limit`, the one used last at the end.

    `accelerated` tells whether scripts compute on something else than the CPU: then their noise
    comes from a generator of its own, which building a model does not use. `script` is the name of
    the file that runs.
    """

    def __init__(self, limit: int, accelerated: Callable[[], bool]) -> None:
        self.stop_when_loaded = False
        self.script = ""
        self._limit = max(1, limit)
        self._accelerated = accelerated
        self._models: list[_Model] = []
        self._pretrained: collections.OrderedDict[Any, _Made] = collections.OrderedDict()
        self._making = False
        self._ready: set[int] = set()  # ids of weights that are loaded while a model is built

    def watch(self, imports: ImportHooks) -> None:
        """Wrap what has to be wrapped once it is imported."""
        imports.after("torch", self._wrap_load)
        imports.after("ldm.util", self._wrap_instantiate)
        for module, name in _PRETRAINED.items():
            imports.after(module, functools.partial(self._wrap_pretrained, name))

    def _wrap_load(self, torch: Any) -> None:
        real = getattr(torch, "load", None)
        if real is None:  # no torch but in name
            return

        @functools.wraps(real)
        def load(file: Any, *args: Any, **options: Any) -> Any:
            found = None if self._making else identity(file)
            if found is None:
                return real(file, *args, **options)
            read = functools.partial(real, file, *args, **options)
            for model in self._models:
                if model.source and model.source.identity == found:
                    return Checkpoint(model.source, read)
            checkpoint = read()
            if identity(file) == found:  # else it was replaced meanwhile
                tag(checkpoint, found, str(file))
            return WithoutWeights.of(checkpoint)

        torch.load = load

    def _wrap_instantiate(self, util: Any) -> None:
        real = util.instantiate_from_config

        @functools.wraps(real)
        def instantiate(config: Any) -> Any:
            key = None if self._making or "torch" not in sys.modules else _text(config)
            if key is None:
                return real(config)
            self._keep([model for model in self._models if model.current])
            for model in self._models:
                if model.config == key:
                    others = [other for other in self._models if other is not model]
                    if model.revive(accelerated=self._accelerated()):
                        self._models = [*others, model]
                        return model.made.thing
                    self._keep(others)
                    break
            self._keep(self._models[len(self._models) - self._limit + 1 :])
            self._ready = set()
            made = self._make(functools.partial(real, config))
            if hasattr(made.thing, "load_state_dict"):
                self._wrap_fill(_Model(key, made, self._ready))
            return made.thing

        util.instantiate_from_config = instantiate

    def _wrap_fill(self, model: _Model) -> None:
        module = model.made.thing
        real = module.load_state_dict

        @functools.wraps(real)
        def load_state_dict(state: Any, *args: Any, **options: Any) -> Any:
            source = getattr(state, "source", None)
            if source is None or source != model.source:
                tensors = dict(state) if isinstance(state, Tensors) else state
                if source is not None:
                    check(module, tensors, ready=model.ready, script=self.script)
                self._keep([other for other in self._models if other is not model])
                model.filled(source, real(tensors, *args, **options))
                check_schedule(module, tensors)
                if source is not None and model.whole:
                    self._models.append(model)
            if self.stop_when_loaded:
                raise Loaded
            return model.result

        module.__dict__["load_state_dict"] = load_state_dict

    def _wrap_pretrained(self, name: str, module: Any) -> None:
        owner = getattr(module, name)
        real = owner.from_pretrained.__func__

        @functools.wraps(real)
        def from_pretrained(kind: Any, source: Any, *args: Any, **options: Any) -> Any:
            make = functools.partial(real, kind, source, *args, **options)
            if self._making:
                thing = make()
                self._ready |= {id(weight) for weight in getattr(thing, "parameters", tuple)()}
                return thing
            key = (kind, str(source), _folder_identity(source), repr(args), repr(options))
            known = self._pretrained.pop(key, None)
            if known is None or not known.replay(accelerated=self._accelerated()):
                known = self._make(make)
            self._pretrained[key] = known
            if len(self._pretrained) > _MOST_PRETRAINED:
                self._pretrained.popitem(last=False)
            return known.thing

        owner.from_pretrained = classmethod(from_pretrained)

    def _make(self, make: Callable[[], Any]) -> _Made:
        """Make something; whatever is loaded or built on the way belongs to it alone."""
        before = _Generators()
        self._making = True
        try:
            thing = make()
        finally:
            self._making = False
        return _Made(thing, before, _Generators())

    def _keep(self, models: list[_Model]) -> None:
        """Let the other models go, and give their memory back before the next one needs it."""
        if len(models) < len(self._models):
            self._models = models
            gc.collect()
            if self._accelerated():
                torch = _torch()
                accelerator = torch.cuda if torch.cuda.is_available() else torch.mps
                accelerator.empty_cache()


class _Generators:
    """The states of the random generators: torch's for the CPU, and those of others."""

    def __init__(self) -> None:
        self.torch: bytes = _torch().get_rng_state().numpy().tobytes()
        numpy = sys.modules["numpy"].random.get_state()  # torch and its tensors need it as well
        self.others = random.getstate(), numpy[1].tobytes(), numpy[2:]


class _Made:
    """A thing, and the random numbers that making it took."""

    def __init__(self, thing: Any, before: _Generators, after: _Generators) -> None:
        self.thing = thing
        self._states: tuple[_Generators, _Generators] | None = (before, after)
        self._count = 0

    def replay(self, *, accelerated: bool) -> bool:
        """Take as many random numbers as making takes; tell whether that can be done."""
        if accelerated:
            return True
        try:
            if self._states:
                before, after = self._states
                if before.others != after.others:
                    return False
                self._count = rng.count(before.torch, after.torch)
                self._states = None
            moved = rng.advance(_Generators().torch, self._count)
        except rng.UnknownStateError:
            return False
        torch = _torch()
        torch.set_rng_state(torch.frombuffer(bytearray(moved), dtype=torch.uint8))
        return True


class _Model:
    """A model, its configuration, and the checkpoint that is in it.

    `ready` are the ids of weights that do not come from the checkpoint.
    """

    def __init__(self, config: str, made: _Made, ready: set[int]) -> None:
        self.config = config
        self.ready = ready
        self.made = made
        self.source: Source | None = None
        self.result: Any = None
        self._modes = [(part, part.training) for part in made.thing.modules()]
        self._needs = [(weight, weight.requires_grad) for weight in made.thing.parameters()]
        self._changes: list[int] = []

    def filled(self, source: Source | None, result: Any) -> None:
        """Note what `load_state_dict` read and returned."""
        self.source, self.result = source, result
        self._changes = self._count_changes()

    @property
    def whole(self) -> bool:
        """Whether the checkpoint had all weights; others are random, and other ones each time."""
        weights = {name for name, _ in self.made.thing.named_parameters()}
        return weights.isdisjoint(getattr(self.result, "missing_keys", weights))

    @property
    def current(self) -> bool:
        """Whether the checkpoint is still the file that was read."""
        return bool(self.source and identity(self.source.path) == self.source.identity)

    def revive(self, *, accelerated: bool) -> bool:
        """Make model and process what they are after building; tell whether that can be done."""
        if not accelerated and self._changes != self._count_changes():
            return False
        if not self.made.replay(accelerated=accelerated):
            return False
        for part, training in self._modes:
            part.training = training
        for weight, needed in self._needs:
            weight.requires_grad = needed
        return True

    def _count_changes(self) -> list[int]:
        """Return torch's counters of changes in place, one for each weight."""
        return [weight._version for weight in self.made.thing.parameters()]  # noqa: SLF001 (no other name)


def _torch() -> Any:
    return sys.modules["torch"]


def _folder_identity(source: Any) -> Any:
    """Return what tells whether a folder of a pretrained model is the same; None for a name."""
    if not isinstance(source, (str, os.PathLike)) or not Path(source).is_dir():
        return None
    return tuple(sorted(filter(None, map(identity, Path(source).iterdir()))))


def _text(config: Any) -> str | None:
    """Return a configuration as text that is equal for equal ones; None where there is none."""
    omegaconf = sys.modules.get("omegaconf")
    try:
        return str(omegaconf.OmegaConf.to_yaml(config, resolve=True)) if omegaconf else None
    except Exception:  # noqa: BLE001 (no configuration of that kind)
        return None
