"""The steps that make the fork's virtual environment and install its packages."""

import importlib.resources
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from sdrest.commands import sizes
from sdrest.commands.gpu import has_nvidia_gpu
from sdrest.commands.log_lines import Level, LogLine
from sdrest.commands.programs import output_of
from sdrest.commands.setup.step import Footprint, StepError, run_program
from sdrest.commands.setup.torch_build import (
    CHOICE_PLATFORM,
    TorchBuild,
    cpu_index,
    is_cpu_build,
    is_other_build,
)
from sdrest.commands.terminal import Terminal

USABLE_PYTHONS = ("3.11", "3.10")
"""Versions for which every pinned package has a wheel, the best one first."""

_ELSEWHERE = (
    "/opt/homebrew/opt/python@{0}/bin/python{0}",
    "/usr/local/opt/python@{0}/bin/python{0}",
    "/usr/local/bin/python{0}",
)
"""Places of a Python that is often not on PATH."""

_SECONDS = 60.0
_VERSION = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
_NO_CPU_BUILD = (
    "No index that pip reached has torch's CPU build. The build for NVIDIA GPUs is installed; it "
    "works without one. Name an index of the CPU build with --torch-index-url."
)
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)")


@dataclass(frozen=True, slots=True)
class Environment:
    """Makes a virtual environment whose Python is `python`, with `base` or a suitable Python.

    `own`: the user named `python`, so it is only checked.
    """

    python: Path
    base: str = ""
    own: bool = False
    name: str = "environment"
    needs: frozenset[str] = frozenset({"repository"})

    @property
    def folder(self) -> Path:
        """The environment's folder."""
        return self.python.parent.parent

    def plan(self) -> str:
        """See `Step.plan`."""
        return f"make a virtual environment in {self.folder} with {self.base or 'Python 3.11'}"

    def footprint(self) -> Footprint:
        """See `Step.footprint`."""
        return Footprint(self.folder.parent, sizes.ENVIRONMENT)

    def done(self) -> bool:
        """Whether its pip works, the last part that venv installs."""
        return output_of([self.python, *_PIP, "--version"], seconds=_SECONDS) is not None

    def run(self, terminal: Terminal) -> None:
        """Make it, replacing a broken one."""
        if self.own:
            raise StepError(f"{self.python} (--python) has no working pip.")
        base = find_python(self.base)
        run_program(
            terminal,
            [base, "-m", "venv", "--clear", self.folder],
            remedy="Install this Python with its venv package, or name another one with "
            "--with-python; run again.",
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """Packages of one `pip install`."""

    file: Traversable
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Packages:
    """Installs the pinned packages into the environment of `python`.

    `torch_index_url` is the index of torch's CPU build.
    """

    python: Path
    index_url: str = ""
    torch_build: TorchBuild = TorchBuild.AUTO
    torch_index_url: str = ""
    name: str = "packages"
    needs: frozenset[str] = frozenset({"environment"})

    def plan(self) -> str:
        """See `Step.plan`."""
        pins = [pin for group in _groups() for pin in pins_of(group.file.read_text("utf-8"))]
        text = f"install {len(pins)} packages into {self.python.parent.parent}"
        if not self._wants_cpu_build():
            return text
        index = cpu_index(self.torch_index_url, self.index_url) or self.index_url
        why = "" if self.torch_build is TorchBuild.CPU else "there is no NVIDIA GPU; "
        return f"{text}, torch's CPU build from {index} ({why}--torch-build cuda takes the other)"

    def footprint(self) -> Footprint:
        """See `Step.footprint`."""
        cuda = platform_name() == CHOICE_PLATFORM and not self._wants_cpu_build()
        size = sizes.CUDA_PACKAGES if cuda else sizes.CPU_PACKAGES
        return Footprint(self.python.parent, size)

    def done(self) -> bool:
        """Whether every pinned package has its version, and torch is the requested build."""
        installed = self._installed()
        other = is_other_build(self.torch_build, installed, platform=platform_name())
        return not (other or any(_missing(group, installed) for group in _groups()))

    def run(self, terminal: Terminal) -> None:
        """Install the groups with missing packages."""
        torch, *others = _groups()
        installed = self._installed()
        other = is_other_build(self.torch_build, installed, platform=platform_name())
        if other or _missing(torch, installed):
            self._install_torch(terminal, torch, ["--force-reinstall"] if other else [])
        for group in others:
            if _missing(group, self._installed()):
                self._install(terminal, group)

    def _install_torch(self, terminal: Terminal, group: _Group, options: Sequence[str]) -> None:
        """Install torch; with `auto`, the other build if the CPU build is unavailable."""
        if self._wants_cpu_build():
            index = cpu_index(self.torch_index_url, self.index_url)
            named = [*options, *(["--extra-index-url", index] if index else [])]
            try:
                self._install(terminal, _cpu_group(), named)
            except StepError:
                if self.torch_build is TorchBuild.CPU:
                    raise
            else:
                return
            terminal.complain(LogLine.of(Level.WARNING, _NO_CPU_BUILD))
        self._install(terminal, group, options)

    def _install(self, terminal: Terminal, group: _Group, options: Sequence[str] = ()) -> None:
        index = ["--index-url", self.index_url] if self.index_url else []
        folder = importlib.resources.files("sdrest.commands.setup") / "packages"
        with importlib.resources.as_file(folder) as packages:
            files = [
                *("--constraint", f"{packages / 'constraints.txt'}"),
                *("--requirement", f"{packages / group.file.name}"),
            ]
            run_program(
                terminal,
                [self.python, *_PIP, "install", *index, *options, *group.options, *files],
                remedy="See that the package index can be reached and that there is room on "
                "the disk; run again.",
            )

    def _wants_cpu_build(self) -> bool:
        platform = platform_name()
        gpu = platform == CHOICE_PLATFORM and has_nvidia_gpu()
        return is_cpu_build(self.torch_build, platform=platform, gpu=gpu)

    def _installed(self) -> Mapping[str, str]:
        """Return the installed versions by normalised names."""
        listed = output_of([self.python, *_PIP, "list", "--format=json"], seconds=_SECONDS)
        if listed is None:
            return {}
        return {normalised(item["name"]): item["version"] for item in json.loads(listed)}


def find_python(wanted: str = "") -> Path:
    """Return a Python that the pinned packages support and that has venv.

    `wanted` is a path or a name on PATH. Raises `StepError` if none is found.
    """
    candidates = [wanted] if wanted else list(_candidates())
    for candidate in candidates:
        found = shutil.which(candidate)
        version = found and output_of([found, "-c", _VERSION], seconds=_SECONDS)
        if found and version and version.strip() in USABLE_PYTHONS:
            return Path(found)
    versions = " or ".join(USABLE_PYTHONS)
    if wanted:
        raise StepError(f"{wanted} (--with-python) is not Python {versions} with venv.")
    raise StepError(
        f"There is no Python {versions} with venv, which the fork's packages need. Install one "
        "(macOS: brew install python@3.11; or uv python install 3.11), or name it with "
        "--with-python."
    )


def _candidates() -> Iterator[str]:
    for version in USABLE_PYTHONS:
        yield f"python{version}"
        yield from (place.format(version) for place in _ELSEWHERE)
    yield from (getattr(sys, "_base_executable", sys.executable), "python3", "python")


def pins_of(text: str) -> dict[str, str]:
    """Return the versions that a requirements file pins, by normalised names."""
    found = map(_PIN.match, text.splitlines())
    return {normalised(pin["name"]): pin["version"] for pin in found if pin}


def normalised(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def platform_name() -> str:
    """Return the platform as in the names of the package files, e.g. `linux-x86_64`."""
    system = "macos" if sys.platform == "darwin" else sys.platform
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
    return f"{system}-{machine}"


def _groups() -> list[_Group]:
    folder = importlib.resources.files("sdrest.commands.setup") / "packages"
    torch = folder / f"torch-{platform_name()}.txt"
    if not torch.is_file():
        raise StepError(
            f"No set of packages is known to work on {platform_name()}. Install those of the "
            "README by hand into the environment, and run again with --skip packages."
        )
    return [
        _Group(torch),
        _Group(folder / "main.txt"),
        _Group(folder / "without-dependencies.txt", ("--no-deps",)),
    ]


def _cpu_group() -> _Group:
    """Return the packages of torch's CPU build."""
    folder = importlib.resources.files("sdrest.commands.setup") / "packages"
    return _Group(folder / f"torch-{CHOICE_PLATFORM}-cpu.txt")


def _missing(group: _Group, installed: Mapping[str, str]) -> bool:
    """Whether a pin of the group is not met; a suffix such as `+cpu` does not count."""
    pins = pins_of(group.file.read_text("utf-8"))
    return any(installed.get(name, "").partition("+")[0] != pin for name, pin in pins.items())


def without_python_variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which another Python finds its own modules."""
    foreign = {"PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"}
    return {name: value for name, value in environment.items() if name not in foreign}
