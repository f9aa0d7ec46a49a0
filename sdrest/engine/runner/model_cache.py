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
import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import checkpoint_formats, memory
from .built import Built
from .cached_model import CachedModel
from .checkpoint import (
    CachedCheckpoint,
    CachedWeights,
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
    running file, `checkpoint` the path of its checkpoint if that is known, `trusted` says that the
    checkpoint may call any function while it is loaded.
    """

    def __init__(self, limit: int, accelerated: Callable[[], bool]) -> None:
        self.stop_when_loaded = False
        self.script = ""
        self.trusted = True
        self.checkpoint: str | None = None
        self._limit = max(1, limit)
        self._accelerated = accelerated
        self._models: list[CachedModel] = []
        self._pretrained: collections.OrderedDict[Any, Built] = collections.OrderedDict()
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
            map_or_read = functools.partial(self._read, original, file)
            found = None if self._building else file_identity(file)
            if found is None:
                return map_or_read(file, *args, **options)
            read = functools.partial(
                checkpoint_formats.read, map_or_read, file, *args, trusted=self.trusted, **options
            )
            for model in self._models:
                if model.source and model.source.identity == found:
                    return CachedCheckpoint(model.source, read)
            checkpoint = read()
            if file_identity(file) == found:  # otherwise it was replaced meanwhile
                tag_source(checkpoint, found)
            return WithoutWeights.of(checkpoint)

        torch.load = load

    def _wrap_instantiate(self, util: Any) -> None:
        original = util.instantiate_from_config

        @functools.wraps(original)
        def instantiate(config: Any) -> Any:
            key = None if self._building or "torch" not in sys.modules else _config_text(config)
            if key is None:
                return original(config)
            cached = self._take(key)
            if cached is not None:
                return cached
            self._make_room()
            self._pretrained_ids = set()
            built = self._build(functools.partial(original, config), key)
            if hasattr(built.value, "load_state_dict"):
                self._wrap_load_state_dict(CachedModel(key, built, self._pretrained_ids))
            else:
                built.complete()
            return built.value

        util.instantiate_from_config = instantiate

    def _wrap_load_state_dict(self, model: CachedModel) -> None:
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
                self._models = [other for other in self._models if other is not model]
                model.fill(original, tensors, source, *args, **options)
                check_schedule(module, tensors)
                if source is not None and model.complete:
                    self._models.append(model)
                del state, tensors
                memory.release()
            if self.stop_when_loaded:
                raise ModelLoaded
            return model.result

        module.__dict__["load_state_dict"] = load_state_dict

    def _wrap_pretrained(self, name: str, module: Any) -> None:
        owner = getattr(module, name)
        original = owner.from_pretrained.__func__

        @functools.wraps(original)
        def from_pretrained(cls: Any, source: Any, *args: Any, **options: Any) -> Any:
            construct = functools.partial(original, cls, source, *args, **options)
            if self._building:
                value = construct()
                self._pretrained_ids |= {
                    id(weight) for weight in getattr(value, "parameters", tuple)()
                }
                return value
            key = (cls, str(source), _folder_identity(source), repr(args), repr(options))
            cached = self._pretrained.pop(key, None)
            if cached is None or not cached.advance_rng(accelerated=self._accelerated()):
                cached = self._build(construct, f"{cls} {source}")
                if not cached.complete():
                    return cached.value
            self._pretrained[key] = cached
            if len(self._pretrained) > _MAX_PRETRAINED:
                self._pretrained.popitem(last=False)
            return cached.value

        owner.from_pretrained = classmethod(from_pretrained)

    def end_job(self) -> None:
        """Free what a script left behind, and return the memory to the system."""
        for model in self._models:
            model.drop_copies()
        memory.release()

    def _build(self, construct: Callable[[], Any], text: str) -> Built:
        """Build something; what is loaded meanwhile belongs to it and is not cached itself."""

        def nested() -> Any:
            self._building = True
            try:
                return construct()
            finally:
                self._building = False

        version = getattr(_torch(), "__version__", "")
        return Built(nested, f"{self.script} {version} {text}")

    def _read(
        self, original: Callable[..., Any], named: Any, file: Any, *args: Any, **options: Any
    ) -> Any:
        """Read a file, or map it: then its weights are read when they are used.

        `named` is the file that the script names. Another one is temporary: mapped, it would take
        space on the disk for as long as the model is used.
        """
        if not isinstance(file, (str, os.PathLike)):
            return original(file, *args, **options)
        if file is named and "mmap" not in options and _can_be_mapped(original, file):
            with contextlib.suppress(RuntimeError):  # of a file system; any other recurs below
                return original(file, *args, mmap=True, **options)
        if not self._building:
            self._make_room()
        return original(file, *args, **options)

    def _take(self, config: str) -> Any:
        """Return the cached model of a configuration, as it was when it was built; or None."""
        models = [model for model in self._models if model.up_to_date]
        chosen = self._choose(models, config)
        others = [model for model in models if model not in chosen]
        if chosen and chosen[0].reset(accelerated=self._accelerated()):
            self._models = [*others, *chosen]
            return chosen[0].built.value
        self._models = others
        return None

    def _choose(self, models: list[CachedModel], config: str) -> list[CachedModel]:
        """Return the model to use for a configuration, if there is one.

        It may have been filled from another checkpoint where there is no room for another model.
        """
        fitting = [model for model in models if model.config == config]
        wanted = file_identity(self.checkpoint)
        exact = [model for model in fitting if model.source and model.source.identity == wanted]
        if exact or (wanted is not None and len(models) < self._limit):
            return exact[:1]
        return fitting[:1]

    def _make_room(self) -> None:
        """Drop the models for which there is no room beside the next one, and free their memory."""
        self._models = self._models[max(0, len(self._models) - self._limit + 1) :]
        memory.release()
        if self._accelerated():
            torch = _torch()
            accelerator = torch.cuda if torch.cuda.is_available() else torch.mps
            accelerator.empty_cache()


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


def _can_be_mapped(load: Callable[..., Any], file: Any) -> bool:
    """Whether `torch.load` can map a file: a zip archive, from torch 2.1 on."""
    if "mmap" not in inspect.signature(load).parameters:
        return False
    with contextlib.suppress(OSError), open(file, "rb") as content:  # noqa: PTH123 (as torch does)
        return content.read(4) == b"PK\3\4"
    return False
