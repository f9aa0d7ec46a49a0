"""`python -m benchmarks`: sdrest beside the original, and sdrest's cost against size."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import document, load, original, report, sizes
from benchmarks.client import LoadError
from benchmarks.compare import Comparison
from benchmarks.original import MissingToolError
from benchmarks.servers import ORIGINAL, SDREST, Scene, end_on_signals, sdrest_program
from benchmarks.standin import repository

CACHE = Path(tempfile.gettempdir()) / "sdrest-benchmarks"
"""Where the original stays between runs."""


def main() -> int:
    """Run what the arguments ask for and return the exit status."""
    options = _parse()
    end_on_signals()
    try:
        with tempfile.TemporaryDirectory(prefix="sdrest-bench-") as folder:
            scene = Scene(Path(folder), repository.create(Path(folder, "repository")))
            if options.part in {"all", "compare"}:
                document.publish("comparison", _compare(options, scene), dry=options.dry)
            if options.part in {"all", "sizes"}:
                document.publish("sizes", _sizes(options, scene), dry=options.dry)
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
    measured = Comparison(document.log, options.seconds)
    for number in range(1, options.rounds + 1):
        document.log(f"round {number} of {options.rounds}")
        measured.round(scene, programs, scene.folder / f"round-{number}")
    return f"{_heading(options)}\n\n{report.comparison(measured.figures, theirs=ORIGINAL)}"


def _original_program() -> list[str]:
    document.log(f"installing {original.PACKAGE}")
    return [original.node(), str(original.install(CACHE))]


def _sizes(options: argparse.Namespace, scene: Scene) -> str:
    measured = sizes.measure(scene, rounds=options.rounds, log=document.log)
    return f"{_heading(options)}\n\n{sizes.render(measured)}"


def _heading(options: argparse.Namespace) -> str:
    facts = [] if options.only else [f"Node.js {original.node_version()}"]
    how = f"medians of {options.rounds} rounds, repeated requests sent by {load.CLIENT}"
    return document.heading(*facts, how)


if __name__ == "__main__":
    sys.exit(main())
