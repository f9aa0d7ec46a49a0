"""Gives the fork's scripts a negative prompt, which they have no option for.

With a guidance scale other than 1 they ask, for each batch, for two conditionings: first that of
empty prompts (unconditional), then that of the prompts. The first one becomes that of the negative
prompt. The text encoder cuts both off at its 77 tokens.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .import_hooks import ImportHooks


class NegativePrompt:
    """The negative prompt of the running job, which has guidance; empty: none."""

    def __init__(self) -> None:
        self._text = ""
        self._is_unconditional = True

    def begin(self, text: str) -> None:
        """Start a job."""
        self._text = text
        self._is_unconditional = True

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the fork's model once it is imported."""
        imports.when_imported("ldm.models.diffusion.ddpm", self._wrap)

    def _wrap(self, module: Any) -> None:
        owner = module.LatentDiffusion
        original = owner.get_learned_conditioning

        @functools.wraps(original)
        def get_learned_conditioning(model: Any, prompts: Any) -> Any:
            if self._text:
                if self._is_unconditional and not any(prompts):
                    prompts = [self._text] * len(prompts)
                self._is_unconditional = not self._is_unconditional
            return original(model, prompts)

        owner.get_learned_conditioning = get_learned_conditioning
