"""The repository that a measurement runs on: the bundled one, or one that options name."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.client import LoadError
from benchmarks.servers import Scene, end_on_signals
from sdrest.engine.local.repository import Repository, locate
from sdrest.settings import FLAGS, Settings

CHOOSING = ("repository", "python", "text_to_image_model", "inpaint_image_model")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A repository, the flags that give it to a server, and a folder for all that is written."""

    repository: Repository
    scene: Scene

    @property
    def folder(self) -> Path:
        """The folder, which is removed afterwards."""
        return self.scene.folder


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the options that choose a repository, and of `--dry`."""
    result = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    result.add_argument("--repository", type=Path, help="default: the bundled engine")
    result.add_argument("--python", type=Path, help="default: that of the repository's venv")
    result.add_argument("--text-to-image-model", type=Path)
    result.add_argument("--inpaint-image-model", type=Path)
    result.add_argument("--name", default="the bundled engine", help="what the results call it")
    result.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    return result


@contextmanager
def chosen(options: argparse.Namespace) -> Iterator[Chosen]:
    """Make a folder for the time of a measurement; a `LoadError` ends the program with a line."""
    end_on_signals()
    values: dict[str, Any] = {
        name: str(getattr(options, name).absolute()) for name in CHOOSING if getattr(options, name)
    }
    words = tuple(word for name, text in values.items() for word in (_option(name), text))
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as name:
            folder = Path(name)
            nowhere = Settings(repository=str(folder / "none"))  # so the bundled engine is used
            settings = replace(nowhere, **values, given=frozenset(values))
            yield Chosen(locate(settings), Scene(folder, words))
    except LoadError as error:
        sys.exit(str(error))


def section(part: str, options: argparse.Namespace) -> str:
    """Return the section of the results: those of another repository have one of their own."""
    return f"{part}-repository" if options.repository else part


def _option(name: str) -> str:
    return next(flag.option for flag in FLAGS if flag.name == name)
