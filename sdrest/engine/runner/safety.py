"""Finds out which images the script's safety checker replaces.

The scripts replace a flagged image by another picture, and print only that there was one. They call
the checker once for each batch, in the order in which they write the images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

_MODULE = "diffusers.pipelines.stable_diffusion.safety_checker"
_CLASS = "StableDiffusionSafetyChecker"


class SafetyCheckerWatch:
    """Counts the checked images of a job and reports the flagged ones."""

    def __init__(self) -> None:
        self._checked = 0
        self._report: Callable[[int], None] = _nothing

    def begin(self, report: Callable[[int], None]) -> None:
        """Start a job: `report` gets the number of each flagged image, from 1."""
        self._checked = 0
        self._report = report

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the checker once it is imported."""
        imports.when_imported(_MODULE, self._wrap)

    def _wrap(self, module: Any) -> None:
        owner = getattr(module, _CLASS, None)
        if owner is None:  # a release of diffusers without this class
            return
        original = owner.forward

        @functools.wraps(original)
        def forward(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            flags = result[1] if isinstance(result, tuple) and len(result) > 1 else ()
            for flag in flags:
                self._checked += 1
                if flag:
                    self._report(self._checked)
            return result

        owner.forward = forward


def _nothing(_: int) -> None:
    pass
