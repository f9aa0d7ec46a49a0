"""`python -m benchmarks`: sdrest beside the original, and sdrest's cost against size."""

import argparse
import datetime as dt
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import sdrest
from benchmarks import load, machine, original, report, sizes
from benchmarks.client import LoadError
from benchmarks.compare import Comparison
from benchmarks.original import MissingToolError
from benchmarks.servers import ORIGINAL, SDREST, Scene, sdrest_program
from benchmarks.standin import repository

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
CACHE = Path(tempfile.gettempdir()) / "sdrest-benchmarks"
"""Where the original stays between runs."""


def main() -> int:
    """Run what the arguments ask for and return the exit status."""
    options = _parse()
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            if options.part in {"all", "compare"}:
                _publish(options, "comparison", _compare(options, scene))
            if options.part in {"all", "sizes"}:
                _publish(options, "sizes", _sizes(options, scene))
    except (MissingToolError, LoadError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("all", "compare", "sizes"), default="all")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds (default 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of each load (default 4)")
    parser.add_argument("--only", choices=(SDREST,), help="leave the original out")
    parser.add_argument("--dry", action="store_true", help="do not write docs/benchmarks.md")
    return parser.parse_args()


def _compare(options: argparse.Namespace, scene: Scene) -> str:
    programs = {} if options.only else {ORIGINAL: _original_program()}
    programs[SDREST] = sdrest_program()
    measured = Comparison(_tell, options.seconds)
    for number in range(1, options.rounds + 1):
        _tell(f"round {number} of {options.rounds}")
        measured.round(scene, programs, scene.folder / f"round-{number}")
    facts = [machine.describe(), f"Python {platform.python_version()}"]
    if ORIGINAL in programs:
        version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)
        facts.append(f"Node.js {version.stdout.strip()}")
    return f"{_dated(facts, options)}\n\n{report.comparison(measured.figures)}"


def _original_program() -> list[str]:
    _tell(f"installing {original.PACKAGE}")
    return [shutil.which("node") or "node", str(original.install(CACHE))]


def _sizes(options: argparse.Namespace, scene: Scene) -> str:
    measured = sizes.measure(scene, rounds=options.rounds, tell=_tell)
    facts = [machine.describe(), f"Python {platform.python_version()}"]
    return f"{_dated(facts, options)}\n\n{sizes.render(measured)}"


def _dated(facts: list[str], options: argparse.Namespace) -> str:
    today = dt.datetime.now(dt.UTC).date()
    how = f"medians of {options.rounds} rounds, requests sent by {load.CLIENT}"
    return f"{today}, sdrest {sdrest.__version__}, {', '.join(facts)}; {how}."


def _publish(options: argparse.Namespace, section: str, text: str) -> None:
    print(f"\n{text}", flush=True)
    if not options.dry:
        report.write(DOCUMENT, section, text)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
