"""Figures to tables, and sections of a document. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from benchmarks.rows import Row
from benchmarks.servers import SDREST
from benchmarks.stats import Goal, ratio

MET = "met"
MISSED = "**missed**"


def comparison(figures: Mapping[Row, Mapping[str, Sequence[float]]], *, theirs: str) -> str:
    """Return the table of sdrest beside `theirs`, whose figures may be missing."""
    head = ("What", "connections", theirs, SDREST, "ratio (rounds)", "goal", "")
    return table(
        head, (_line(row, values[SDREST], values.get(theirs)) for row, values in figures.items())
    )


def _line(row: Row, ours: Sequence[float], theirs: Sequence[float] | None) -> Sequence[str]:
    return (
        row.what,
        str(row.connections or ""),
        f"{number(median(theirs))} {row.unit}" if theirs else "",
        f"{number(median(ours))} {row.unit}",
        _ratios(ours, theirs) if theirs else "",
        str(row.goal or ""),
        _verdict(row.goal, ours, theirs),
    )


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> str:
    each = ", ".join(f"{a / b:.2f}" for a, b in zip(ours, theirs, strict=True) if b)
    return f"{ratio(ours, theirs):.2f} x ({each})"


def _verdict(goal: Goal | None, ours: Sequence[float], theirs: Sequence[float] | None) -> str:
    if goal is None:
        return ""
    if goal.unit != "x":
        return verdict(goal, median(ours))
    return verdict(goal, ratio(ours, theirs)) if theirs else ""


def verdict(goal: Goal, value: float) -> str:
    """Return in a word whether the goal was met."""
    return MET if goal.met(value) else MISSED


def number(value: float) -> str:
    """Return a figure with three digits that count, e.g. `3,350` or `0.214`."""
    if value == 0:
        return "0"
    digits = 0
    while abs(value) * 10**digits < 100 and digits < 3:  # noqa: PLR2004 (three digits)
        digits += 1
    return f"{value:,.{digits}f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, its columns as wide as their widest cell."""
    cells = [head, *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    return "".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |\n"
        for line in (head, rule, *cells[1:])
    )


def replace(document: str, section: str, text: str) -> str:
    """Return the document with `text` between the marks of a section.

    The marks are `<!-- SECTION -->` and `<!-- /SECTION -->`; raises `ValueError` where there are
    none.
    """
    start, end = f"<!-- {section} -->\n", f"<!-- /{section} -->\n"
    before, found, rest = document.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"The document has no section {section}.")
    return f"{before}{start}\n{text}\n{end}{after}"
