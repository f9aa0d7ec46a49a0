"""How a script ended, and what messages about it may name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sdrest.errors import Failure


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that ended a script: the names of its class and of that one's bases, its text.

    `files` are the names of the source files on its way; `causes` the class and the text of each
    exception that led to it, the one before it first.
    """

    types: tuple[str, ...]
    text: str
    errno: int | None = None
    module: str | None = None
    files: frozenset[str] = frozenset()
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """Read what `engine.runner.exceptions.describe` returned."""
        return cls(
            types=tuple(description["types"]),
            text=description["text"],
            errno=description["errno"],
            module=description["module"],
            files=frozenset(description["files"]),
            causes=tuple(description["causes"]),
        )

    def __str__(self) -> str:
        return f"{self.types[0]}: {self.text}" if self.text else self.types[0]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a script ended. `code` is negative for a signal, as in `subprocess`.

    `loaded` says whether the script had drawn its first bar: its model was loaded then.
    `oom_killed` says whether the kernel killed a process for lack of memory meanwhile; None:
    unknown. `attention` is how the script computed it; empty if that is unknown.
    """

    code: int
    stderr: str
    raised: Raised | None = None
    ready: bool = True  # whether the runner came up
    loaded: bool = True
    images: int = 0
    total_images: int = 1
    oom_killed: bool | None = None
    attention: str = ""


@dataclass(frozen=True, slots=True)
class FailureContext:
    """What messages may name: the checkpoint's flag, how to install modules, names of paths.

    `config` is the configuration that the script loads, by its path in the repository.
    `hub_problems` says what is wrong with the models that the fork loads by name, as far as their
    files show it; `hub_folders` what to delete to have them fetched again. `noexec` says that the
    Python's modules lie on a file system without execution. `max_models` and `concurrency` are
    those of the pool.
    """

    model_flag: str
    pip: str
    names: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    hub_problems: Mapping[str, Failure] = field(default_factory=dict)
    hub_folders: Mapping[str, Path] = field(default_factory=dict)
    noexec: bool = False
    max_models: int = 2
    concurrency: int = 1
