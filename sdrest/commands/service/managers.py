"""What systemd and launchd have in common: the protocol, files, and calls of their programs."""

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sdrest.commands.service.units import Service
from sdrest.errors import UsageError

SECONDS = 120
"""Seconds in which a program has to end."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: its exit status and what it wrote."""

    status: int
    output: str


def call(*command: str) -> Done:
    """Run systemctl, loginctl or launchctl."""
    try:
        done = subprocess.run(  # noqa: S603 (the system's own programs)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Done(127, getattr(error, "strerror", None) or str(error))
    return Done(done.returncode, done.stdout.decode(errors="replace").strip())


@dataclass(frozen=True, slots=True)
class State:
    """How an installed service is, in words."""

    running: bool
    text: str


class Manager(Protocol):
    """systemd or launchd, for the services of a user or of the machine."""

    def files(self, service: Service, *, hidden: bool = False) -> Mapping[Path, tuple[str, int]]:
        """Return the files of a service with their text and mode; the main one comes first."""
        ...

    def install_commands(self, service: Service) -> Sequence[Sequence[str]]:
        """Return the commands that start a service whose files are written."""
        ...

    def install(self, service: Service) -> list[str]:
        """Write and start a service, also in the place of an older one; return notes.

        Raises `UsageError`.
        """
        ...

    def uninstall(self, name: str) -> bool:
        """Stop and remove a service; return whether there was one. Raises `UsageError`."""
        ...

    def state(self, name: str) -> State | None:
        """Return how a service is; None if it is not installed."""
        ...

    def log_command(self, name: str) -> str:
        """Return the command that shows a service's log."""
        ...


def write(files: Mapping[Path, tuple[str, int]]) -> None:
    """Write files, each in one step. Raises `UsageError`."""
    for path, (text, mode) in files.items():
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(text.encode(errors="surrogateescape"))
            part.replace(path)
        except OSError as error:
            raise UsageError(f"Cannot write {path}: {error.strerror}.") from error


def remove(*paths: Path) -> None:
    """Remove files, if they are there. Raises `UsageError`."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(f"Cannot remove {path}: {error.strerror}.") from error


def succeed(command: Sequence[str], sentence: str) -> None:
    """Run a command; raises `UsageError` with `sentence` and the reason where it fails."""
    done = call(*command)
    if done.status:
        raise UsageError(sentence.format(reason=f"{shlex.join(command)}: {last_line(done.output)}"))


def last_line(text: str) -> str:
    """Return the last line of a program's output, where the reason usually is."""
    return text.splitlines()[-1].strip().rstrip(".") if text else "no answer"
