"""Changes how the fork's scripts sample, from outside, where a job asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import previews

if TYPE_CHECKING:
    from .import_hooks import ImportHooks

Report = Callable[[str, "dict[str, Any]"], None]
"""Sends an event of the running job: its name, and what it has besides."""


class Sampling:
    """The changes that the running job asks for."""

    def __init__(self) -> None:
        self._previews = previews.Previews()

    def watch(self, imports: ImportHooks) -> None:
        """Wrap the fork's modules when they are imported."""
        self._previews.watch(imports)

    def begin(self, wanted: Mapping[str, Any], report: Report) -> None:
        """Start a job, with the values of its message's `sampling`."""
        self._previews.begin(report if wanted.get("previews") else None)
