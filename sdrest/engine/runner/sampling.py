"""Changes how the fork's scripts sample, from outside, where a job asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .attention import EXACT, Attention
from .guidance import NegativePrompt
from .known_region import KnownRegion
from .previews import Previews

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .import_hooks import ImportHooks

    Report = Callable[[str, dict[str, Any]], None]
    """Sends an event of the running job: its name, and what it has besides."""


class Sampling:
    """The changes that the running job asks for."""

    def __init__(self) -> None:
        self._attention = Attention()
        self._negative_prompt = NegativePrompt()
        self._known_region = KnownRegion()
        self._previews = Previews()

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the fork's modules when they are imported."""
        self._attention.watch(imports)
        self._negative_prompt.watch(imports)
        self._known_region.watch(imports)
        self._previews.watch(imports)  # last: it sees what the others have changed

    def begin(self, wanted: Mapping[str, Any], report: Report) -> None:
        """Start a job, with the values of its message's `sampling`."""
        self._attention.begin(wanted.get("attention", EXACT), report)
        self._negative_prompt.begin(wanted.get("negative_prompt", ""))
        self._known_region.begin(wanted.get("mask"))
        self._previews.begin(report if wanted.get("previews") else None)
