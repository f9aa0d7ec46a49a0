"""Prints results, and writes them into a section of docs/benchmarks.md."""

import datetime as dt
import os
import platform
import sys
from pathlib import Path

import sdrest
from benchmarks import machine, report

_LOAD = os.getloadavg()[0]
"""The machine's load before this program."""

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def heading(*facts: str) -> str:
    """Return the line above a table: when, on what kind of machine, with what."""
    today = dt.datetime.now(dt.UTC).date()
    load = f"load average at the start {_LOAD:.1f}"
    common = (machine.describe(), load, f"Python {platform.python_version()}")
    return f"{today}, sdrest {sdrest.__version__}, {', '.join((*common, *facts))}."


def publish(section: str, text: str, *, dry: bool) -> None:
    """Print the results of a run and, unless `dry`, put them into their section."""
    print(f"\n{text}", flush=True)
    if not dry:
        content = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(report.replace(content, section, text), encoding="utf-8")


def log(line: str) -> None:
    """Print a line about the progress of a run."""
    print(line, file=sys.stderr, flush=True)
