"""The protocol of a set-up step, and how a step runs a program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sdrest.commands import programs
from sdrest.commands.sizes import Size
from sdrest.commands.terminal import Terminal
from sdrest.errors import SdrestError


class StepError(SdrestError):
    """A step of the set-up failed; the message says what to do."""

    default_message = "A step of the set-up failed."


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step needs on the disk of `folder`, which may not exist yet; None if unknown."""

    folder: Path
    size: Size | None


class Step(Protocol):
    """A part of the set-up that can be repeated."""

    @property
    def name(self) -> str:
        """The name for `--skip`."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Names of the steps that must be done first."""
        ...

    def plan(self) -> str:
        """Return what `run` would do, as the end of `Would ...`."""
        ...

    def footprint(self) -> Footprint:
        """Return what `run` would need of network and disk."""
        ...

    def done(self) -> bool:
        """Whether nothing is left to do."""
        ...

    def run(self, terminal: Terminal) -> None:
        """Do it, resuming an interrupted run. Raises `StepError` or OSError."""
        ...


def run_program(
    terminal: Terminal,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    remedy: str,
) -> None:
    """Run a program with its output on stderr. Raises `StepError` with `remedy` if it fails."""
    terminal.flush()
    name = Path(command[0]).name
    try:
        code = programs.run(command, environment=environment)
    except OSError as error:
        raise StepError(f"Cannot start {name}: {error.strerror}. {remedy}") from error
    if code:
        raise StepError(f"{name} ended with exit code {code}, see above. {remedy}")
